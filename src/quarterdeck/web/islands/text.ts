// Small pieces of the page made by scripts.

/** An element with text: whatever the text is, it stays text. */
export function textElement(tag: string, text: string, css = ""): HTMLElement {
  const element = document.createElement(tag);
  element.textContent = text;
  if (css) element.className = css;
  return element;
}
