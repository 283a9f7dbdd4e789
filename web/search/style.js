/** The style of the search box. */

// A <style> element would be refused by a Content-Security-Policy without 'unsafe-inline'.
export const style = new CSSStyleSheet();

style.replaceSync(`
  :host {
    /* Prefixed, so that a page's own variables cannot collide with them. */
    --_accent: var(--twinvec-accent, light-dark(#0b6b5e, #4fc3ae));
    --_background: var(--twinvec-background, Canvas);
    --_border: var(--twinvec-border, light-dark(#7d8791, #6f7a86));
    --_color: var(--twinvec-color, CanvasText);
    --_error: var(--twinvec-error, light-dark(#b3261e, #f2857d));
    --_muted: var(--twinvec-muted, light-dark(#555e68, #a5adb7));
    --_radius: var(--twinvec-radius, 0.5rem);
    display: block;
    position: relative;
    color: var(--_color);
    font: inherit;
    text-align: start;
  }
  :host([hidden]), [hidden] { display: none !important; }
  * { box-sizing: border-box; }
  input, button {
    padding: 0.6rem 0.75rem;
    border: 1px solid var(--_border);
    border-radius: var(--_radius);
    color: inherit;
    background: var(--_background);
    font: inherit;
  }
  input { width: 100%; }
  button { border-color: currentColor; cursor: pointer; font-weight: 600; }
  :focus-visible { outline: 3px solid var(--_accent); outline-offset: 2px; }
  .panel {
    position: absolute;
    inset-inline: 0;
    z-index: 10;
    max-height: min(32rem, 70vh);
    margin-top: 0.35rem;
    padding: 0.5rem 0.75rem;
    overflow: auto;
    border: 1px solid var(--_border);
    border-radius: var(--_radius);
    background: var(--_background);
    box-shadow: 0 0.5rem 1.5rem rgb(0 0 0 / 20%);
  }
  :host([inline]) .panel {
    position: static;
    max-height: none;
    padding: 0;
    border: 0;
    box-shadow: none;
  }
  .spoken {
    position: absolute; /* for screen readers only */
    width: 1px;
    height: 1px;
    margin: 0;
    overflow: hidden;
    clip-path: inset(50%);
  }
  .status { margin: 0.25rem 0; color: var(--_muted); font-size: 0.9em; }
  progress { width: 100%; height: 0.5rem; accent-color: var(--_accent); }
  .failure { margin: 0.5rem 0; color: var(--_error); overflow-wrap: anywhere; }
  .failure p { margin: 0 0 0.5rem; }
  .hit {
    display: block;
    padding: 0.6rem 0.5rem;
    border-top: 1px solid color-mix(in srgb, var(--_border) 45%, transparent);
    border-inline-start: 3px solid transparent;
    color: inherit;
    text-decoration: none;
    cursor: pointer;
  }
  .hit[aria-selected="true"], .hit:hover {
    border-inline-start-color: var(--_accent);
    background: color-mix(in srgb, var(--_accent) 12%, transparent);
  }
  .hit > * { display: block; overflow-wrap: anywhere; }
  .heading { font-weight: 600; }
  a .heading { color: var(--_accent); }
  .source { color: var(--_muted); font-size: 0.85em; }
  .passage {
    display: -webkit-box;
    -webkit-box-orient: vertical;
    -webkit-line-clamp: var(--twinvec-lines, 4);
    overflow: hidden;
  }
  @media (forced-colors: active) {
    .hit[aria-selected="true"] { outline: 3px solid Highlight; outline-offset: -3px; }
  }
`);
