"""The documentation of the running Python's standard library, as a corpus to search.

It comes from docstrings and from `pydoc`'s topics, made when it is asked for: nothing of it is
stored. The modules are imported, not parsed: half of what they are used for (`os.listdir`,
`math.sqrt`, `str.split`) is written in C and has no source here to read.
"""

from __future__ import annotations

import builtins
import hashlib
import importlib
import inspect
import json
import re
import sys
import warnings
from contextlib import closing
from itertools import groupby
from pathlib import Path
from pydoc_data.topics import topics
from typing import TYPE_CHECKING, Any

from twinvec.cli.progress import ProgressBars
from twinvec.documents.chunker import Chunker
from twinvec.documents.passages import passages_of
from twinvec.documents.section import Section, paragraphs_of
from twinvec.download import cache_root
from twinvec.index.format import MANIFEST
from twinvec.index.writing.shards import check_folder, replace_folder
from twinvec.index.writing.update import write_index

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from twinvec.embedder import Embedder
    from twinvec.index import Document

__all__ = ["index_stdlib", "stdlib_passages"]

# Modules that have a page of their own, called as they are, and whose import does nothing else.
_MODULES = """
    abc argparse array ast asyncio atexit base64 bdb binascii bisect bz2 calendar cmath cmd code
    codecs codeop collections collections.abc colorsys compileall concurrent.futures configparser
    contextlib contextvars copy copyreg csv ctypes curses dataclasses datetime dbm decimal difflib
    dis doctest email email.message email.parser email.policy enum errno faulthandler fcntl filecmp
    fileinput fnmatch fractions ftplib functools gc getopt getpass gettext glob graphlib grp gzip
    hashlib heapq hmac html html.parser http http.client http.cookiejar http.cookies http.server
    imaplib importlib importlib.metadata importlib.resources inspect io ipaddress itertools json
    keyword linecache locale logging logging.config logging.handlers lzma mailbox marshal math
    mimetypes mmap modulefinder multiprocessing multiprocessing.shared_memory netrc numbers operator
    optparse os os.path pathlib pdb pickle pickletools pkgutil platform plistlib poplib posix pprint
    pstats pty pwd py_compile pyclbr queue quopri random re reprlib resource runpy sched secrets
    select selectors shelve shlex shutil signal site smtplib socket socketserver sqlite3 ssl stat
    statistics string stringprep struct subprocess symtable sys sysconfig syslog tabnanny tarfile
    tempfile termios textwrap threading time timeit token tokenize tomllib trace traceback
    tracemalloc tty types typing unicodedata unittest unittest.mock urllib.error urllib.parse
    urllib.request urllib.robotparser uuid venv warnings wave weakref webbrowser wsgiref xml.dom
    xml.dom.minidom xml.etree.ElementTree xml.sax xmlrpc.client xmlrpc.server zipapp zipfile
    zipimport zlib zoneinfo
"""
# The pages on which the topics are labels.
_PAGES = {
    "library/pdb": "debugger",
    "library/stdtypes": """
        bltin-code-objects bltin-ellipsis-object bltin-null-object bltin-type-objects specialattrs
        string-methods truth typesfunctions typesmapping typesmethods typesmodules typesseq
        typesseq-mutable
    """,
    "library/string": "formatstrings",
    "reference/compound_stmts": "async class compound else for function if try while with",
    "reference/datamodel": """
        attribute-access callable-types context-managers customization numeric-types objects
        sequence-types specialnames types
    """,
    "reference/executionmodel": "dynamic-features exceptions execmodel naming",
    "reference/expressions": """
        atom-identifiers atom-literals attribute-references await binary bitwise booleans calls
        comparisons conversions dict exprlists in lambda lists operator-summary power shifting
        slicings subscriptions unary
    """,
    "reference/lexical_analysis": """
        floating id-classes identifiers imaginary integers numbers strings
    """,
    "reference/simple_stmts": """
        assert assignment augassign break continue del global import nonlocal pass raise return
        yield
    """,
}
_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def index_stdlib(out: Path, embedder: Embedder) -> int:
    """Write an index of the documentation; tell how many passages had to be embedded.

    It is made in the cache, once for every fingerprint, so that an emptied `out` costs a copy, and
    another Python only what it documents otherwise.

    Raises:
        IndexFormatError: `out` holds something else than an index.
    """
    check_folder(out)  # before the work
    block = json.dumps(embedder.fingerprint, sort_keys=True)
    cached = cache_root() / "stdlib_docs" / hashlib.sha256(block.encode()).hexdigest()[:16]
    index, made = cached / "index", cached / "made"
    key, embedded = _key(), 0
    if not made.is_file() or made.read_text(encoding="utf-8") != key:
        passages = stdlib_passages(Chunker(embedder))
        with closing(ProgressBars()) as bars:
            show_reading = bars.callback("Reading", "passages")
            written = write_index(
                passages,
                index,
                embedder,
                on_read=lambda count: show_reading(count, None),
                on_embed=bars.callback("Embedding", "passages"),
            )
        embedded = written.embedded
        made.write_text(key, encoding="utf-8")
    manifest = out / MANIFEST
    if not manifest.is_file() or manifest.read_bytes() != (index / MANIFEST).read_bytes():
        replace_folder(out, index)
    return embedded


def _key() -> str:
    """Tell apart what could give other passages, or write them otherwise."""
    sources = sorted(Path(__file__).parents[1].rglob("*.py"))
    content = b"".join(hashlib.sha256(file.read_bytes()).digest() for file in sources)
    return f"{sys.version} {hashlib.sha256(content).hexdigest()}"


def stdlib_passages(chunker: Chunker) -> Iterator[Document]:
    """Cut the documentation into passages; those of a page of docs.python.org link to it."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    address = f"https://docs.python.org/{version}"
    pages = {topic: page for page, listed in _PAGES.items() for topic in listed.split()}
    for topic, text in sorted(topics.items()):
        page = pages.get(topic)
        url = page and f"{address}/{page}.html"
        yield from passages_of([_topic(topic, text)], chunker, f"topics/{topic}", url)
    for source, sections in _library():
        yield from passages_of(sections, chunker, source, f"{address}/{source.lower()}.html")


def _library() -> Iterator[tuple[str, Iterable[Section]]]:
    """Read the pages of the library's documentation."""
    seen: set[int] = set()
    sections = _module_sections("builtins", builtins, seen)
    by_page = groupby(sorted(sections, key=_builtin_page), _builtin_page)
    yield from ((f"library/{page}", list(group)) for page, group in by_page)
    for name in _MODULES.split():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of what is deprecated, by another Python too
            module = _imported(name)
            found = list(_module_sections(name, module, seen)) if module else []
        yield f"library/{name}", found


def _builtin_page(section: Section) -> str:
    """Tell where a builtin is documented: exceptions, functions, or methods of types."""
    name, _, method = section.headings[0].partition(".")
    value = getattr(builtins, name, None)
    if inspect.isclass(value) and issubclass(value, BaseException):
        return "exceptions"
    return "stdtypes" if method else "functions" if value else "builtins"


def _imported(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:  # of another platform or version, or built without its library
        return None


def _topic(topic: str, text: str) -> Section:
    heading, *paragraphs = paragraphs_of(text)
    heading = heading.splitlines()[0].replace('"', "")
    return Section(paragraphs, (heading,), topic, heading)


def _module_sections(name: str, module: ModuleType, seen: set[int]) -> Iterator[Section]:
    if module.__doc__:
        yield Section(_paragraphs(module), (name,), f"module-{name}", name)
    prefix = "" if name == "builtins" else f"{name}."
    for own in _public(module):
        value = getattr(module, own, None)
        if id(value) in seen or not (inspect.isroutine(value) or inspect.isclass(value)):
            continue
        seen.add(id(value))
        yield from _documented(f"{prefix}{own}", value, name)
        if inspect.isclass(value):
            for member, method in sorted(vars(value).items()):
                if not member.startswith("_") and _is_method(method):
                    yield from _documented(f"{prefix}{own}.{member}", method, name)


def _public(module: ModuleType) -> Iterable[str]:
    listed = getattr(module, "__all__", None)
    if listed is not None:
        return sorted(set(listed))
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )


def _is_method(value: object) -> bool:
    return inspect.isroutine(value) or isinstance(value, (property, classmethod, staticmethod))


def _documented(name: str, value: Any, title: str) -> Iterator[Section]:
    if isinstance(value.__doc__, str) and value.__doc__.strip():
        yield Section([*_signature(name, value), *_paragraphs(value)], (name,), name, title)


def _paragraphs(value: Any) -> list[str]:
    return paragraphs_of(_ADDRESS.sub("", inspect.cleandoc(value.__doc__)))


def _signature(name: str, value: Any) -> Iterator[str]:
    try:
        signature = str(inspect.signature(value))
    except (TypeError, ValueError):  # a property, or one that C does not tell
        return
    # A default of `platform.architecture` would tell visitors where the site was built.
    signature = signature.replace(repr(sys.executable), "sys.executable")
    yield _ADDRESS.sub("", f"{name.rpartition('.')[2]}{signature}")
