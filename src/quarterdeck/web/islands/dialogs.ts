// Dialogs are the browser's own <dialog>, which keeps the focus inside and closes on Escape.
//
//   <button data-dialog="rename">…</button>   <dialog id="rename" class="qd-dialog">… <button data-dialog-close>
//   <form data-confirm="Delete 3 items?" data-confirm-button="Delete">   asks first, in #qd-confirm

function openDialog(id: string): void {
  const dialog = document.getElementById(id);
  if (dialog instanceof HTMLDialogElement && !dialog.open) dialog.showModal();
}

function ask(form: HTMLFormElement, submitter: HTMLElement | null, question: string): void {
  const dialog = document.querySelector<HTMLDialogElement>("#qd-confirm");
  if (!dialog) return;
  const label = submitter?.dataset["confirmButton"] ?? form.dataset["confirmButton"];
  (dialog.querySelector("[data-question]") as HTMLElement).textContent = question;
  const yes = dialog.querySelector<HTMLButtonElement>("[data-yes]")!;
  if (label) yes.textContent = label;
  yes.onclick = () => {
    dialog.close();
    form.dataset["confirmed"] = "1";
    form.requestSubmit(submitter instanceof HTMLButtonElement ? submitter : null);
    delete form.dataset["confirmed"];
  };
  dialog.showModal();
}

function onSubmit(event: SubmitEvent): void {
  const form = event.target as HTMLFormElement;
  const question = event.submitter?.dataset["confirm"] ?? form.dataset["confirm"];
  if (!question || form.dataset["confirmed"]) return;
  event.preventDefault();
  event.stopImmediatePropagation();
  ask(form, event.submitter, question);
}

export function startDialogs(): void {
  document.addEventListener("submit", onSubmit, { capture: true });
  document.addEventListener("click", (event) => {
    const target = event.target as Element;
    const opener = target.closest<HTMLElement>("[data-dialog]");
    if (opener) openDialog(opener.dataset["dialog"] ?? "");
    if (target.closest("[data-dialog-close]")) target.closest("dialog")?.close();
    if (target instanceof HTMLDialogElement && target.classList.contains("qd-dialog")) target.close();
    copy(target.closest<HTMLElement>("[data-copy], [data-copy-from]"));
  });
  for (const dialog of document.querySelectorAll<HTMLDialogElement>("dialog[data-open]")) dialog.showModal();
}

/** `<button data-copy="text" data-copied="Copied">`, or `data-copy-from="id"` of the element whose text is copied. */
function copy(button: HTMLElement | null): void {
  if (!button) return;
  const from = document.getElementById(button.dataset["copyFrom"] ?? "");
  void toClipboard(from?.textContent ?? button.dataset["copy"] ?? "").then(() => {
    document.dispatchEvent(new CustomEvent("toast", { detail: { text: button.dataset["copied"] ?? "" } }));
  });
}

/** Browsers give the clipboard to secure pages only; on plain HTTP the old way still works. */
async function toClipboard(text: string): Promise<void> {
  if (isSecureContext) return navigator.clipboard.writeText(text);
  const box = document.createElement("textarea");
  box.value = text;
  document.body.append(box);
  box.select();
  document.execCommand("copy");
  box.remove();
}
