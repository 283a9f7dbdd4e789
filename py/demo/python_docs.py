"""The documentation of the running Python's standard library, as a corpus to search.

It is read from docstrings and from `pydoc`'s topics. The modules are imported, not parsed, because
half of the functions that people search for (`os.listdir`, `math.sqrt`, `str.split`) are written in
C and have no Python source.
"""

from __future__ import annotations

import builtins
import importlib
import inspect
import re
import sys
import warnings
from itertools import groupby
from pydoc_data.topics import topics
from typing import TYPE_CHECKING, Any

from twinvec.documents.passages import passages_of
from twinvec.documents.section import Section, paragraphs_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from types import ModuleType

    from twinvec.documents.chunker import Chunker
    from twinvec.index import Document

# Modules that have a page under their own name, and whose import has no side effects.
MODULES = """
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
# Page of the documentation -> topics of `pydoc` that are labels on it.
TOPIC_PAGES = {
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
MEMORY_ADDRESS = re.compile(r" at 0x[0-9a-fA-F]+")


def stdlib_passages(chunker: Chunker) -> Iterator[Document]:
    """Cut the documentation into passages, linked to docs.python.org where it has the page."""
    version = f"{sys.version_info.major}.{sys.version_info.minor}"
    address = f"https://docs.python.org/{version}"
    pages = {topic: page for page, names in TOPIC_PAGES.items() for topic in names.split()}
    for topic, text in sorted(topics.items()):
        page = pages.get(topic)
        url = page and f"{address}/{page}.html"
        yield from passages_of([_topic_section(topic, text)], chunker, f"topics/{topic}", url)
    for source, sections in _library_pages():
        yield from passages_of(sections, chunker, source, f"{address}/{source.lower()}.html")


def _library_pages() -> Iterator[tuple[str, Iterable[Section]]]:
    """Yield the pages of the library's documentation with their sections."""
    seen: set[int] = set()
    sections = _module_sections("builtins", builtins, seen)
    by_page = groupby(sorted(sections, key=_builtin_page), _builtin_page)
    yield from ((f"library/{page}", list(group)) for page, group in by_page)
    for name in MODULES.split():
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # deprecations differ from Python to Python
            module = _import_module(name)
            module_sections = list(_module_sections(name, module, seen)) if module else []
        yield f"library/{name}", module_sections


def _builtin_page(section: Section) -> str:
    """Return the page that documents a builtin: exceptions, functions, or methods of types."""
    name, _, method = section.headings[0].partition(".")
    value = getattr(builtins, name, None)
    if inspect.isclass(value) and issubclass(value, BaseException):
        return "exceptions"
    return "stdtypes" if method else "functions" if value else "builtins"


def _import_module(name: str) -> ModuleType | None:
    try:
        return importlib.import_module(name)
    except ImportError:  # of another platform or version, or built without its library
        return None


def _topic_section(topic: str, text: str) -> Section:
    heading, *paragraphs = paragraphs_of(text)
    heading = heading.splitlines()[0].replace('"', "")
    return Section(paragraphs, (heading,), topic, heading)


def _module_sections(name: str, module: ModuleType, seen: set[int]) -> Iterator[Section]:
    """Yield a section for the module and for each public function, class and method.

    Args:
        name: the module's name.
        module: the module.
        seen: ids of the objects that have a section already; extended.
    """
    if module.__doc__:
        yield Section(_paragraphs(module), (name,), f"module-{name}", name)
    prefix = "" if name == "builtins" else f"{name}."
    for public_name in _public_names(module):
        value = getattr(module, public_name, None)
        if id(value) in seen or not (inspect.isroutine(value) or inspect.isclass(value)):
            continue
        seen.add(id(value))
        qualified_name = f"{prefix}{public_name}"
        yield from _object_sections(qualified_name, value, name)
        if inspect.isclass(value):
            for member_name, member in sorted(vars(value).items()):
                if not member_name.startswith("_") and _is_method(member):
                    yield from _object_sections(f"{qualified_name}.{member_name}", member, name)


def _public_names(module: ModuleType) -> Iterable[str]:
    names = getattr(module, "__all__", None)
    if names is not None:
        return sorted(set(names))
    return sorted(
        name
        for name, value in vars(module).items()
        if not name.startswith("_") and getattr(value, "__module__", "") == module.__name__
    )


def _is_method(value: object) -> bool:
    return inspect.isroutine(value) or isinstance(value, (property, classmethod, staticmethod))


def _object_sections(name: str, value: Any, title: str) -> Iterator[Section]:
    """Yield the section of an object that has a docstring."""
    if isinstance(value.__doc__, str) and value.__doc__.strip():
        yield Section([*_signature(name, value), *_paragraphs(value)], (name,), name, title)


def _paragraphs(value: Any) -> list[str]:
    return paragraphs_of(MEMORY_ADDRESS.sub("", inspect.cleandoc(value.__doc__)))


def _signature(name: str, value: Any) -> Iterator[str]:
    try:
        signature = str(inspect.signature(value))
    except (TypeError, ValueError):  # a property, or a function in C without a signature
        return
    # The default of `platform.architecture` is a path of the computer that builds the site.
    signature = signature.replace(repr(sys.executable), "sys.executable")
    yield MEMORY_ADDRESS.sub("", f"{name.rpartition('.')[2]}{signature}")
