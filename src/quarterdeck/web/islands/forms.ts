// What forms need beyond HTML: fields that belong to a kind, and files that are dropped.
//
//   <form data-kind-form> <select name="kind">… <div data-kinds="integer number">…   shown for these kinds only
//   <label class="qd-drop" data-drop> <input type="file"> <span data-drop-name>…     takes a dropped file
//   <input data-fill> … <b data-fill-slot>KEY</b>              what is typed stands in the slots; it is not sent
//   <select data-list-for="value"> <option data-list="states">   the field #value proposes the values of <datalist #states>

function fill(input: HTMLInputElement): void {
  for (const slot of document.querySelectorAll<HTMLElement>("[data-fill-slot]")) {
    slot.dataset["placeholder"] ??= slot.textContent ?? "";
    slot.textContent = input.value.trim() || slot.dataset["placeholder"];
  }
}

function showKinds(form: HTMLElement): void {
  const kind = form.querySelector<HTMLSelectElement>("[name=kind]")?.value ?? "";
  for (const part of form.querySelectorAll<HTMLElement>("[data-kinds]")) {
    part.hidden = !(part.dataset["kinds"] ?? "").split(" ").includes(kind);
  }
}

function propose(select: HTMLSelectElement): void {
  const list = select.selectedOptions[0]?.dataset["list"] ?? "";
  document.getElementById(select.dataset["listFor"] ?? "")?.setAttribute("list", list);
}

function showName(drop: HTMLElement): void {
  const files = drop.querySelector<HTMLInputElement>("input[type=file]")?.files;
  const name = drop.querySelector("[data-drop-name]");
  if (files?.length && name) name.textContent = Array.from(files, (file) => file.name).join(", ");
}

function onDrag(event: DragEvent): void {
  const drop = (event.target as Element).closest?.<HTMLElement>("[data-drop]");
  for (const other of document.querySelectorAll("[data-drop].is-over")) {
    if (other !== drop || event.type === "drop") other.classList.remove("is-over");
  }
  if (!drop) return;
  event.preventDefault();
  if (event.type === "dragover") drop.classList.add("is-over");
  const input = drop.querySelector<HTMLInputElement>("input[type=file]");
  if (event.type !== "drop" || !input || !event.dataTransfer?.files.length) return;
  input.files = event.dataTransfer.files;
  showName(drop);
}

export function startForms(): void {
  for (const form of document.querySelectorAll<HTMLElement>("[data-kind-form]")) showKinds(form);
  for (const select of document.querySelectorAll<HTMLSelectElement>("[data-list-for]")) propose(select);
  document.addEventListener("change", (event) => {
    const target = event.target as Element;
    if (target instanceof HTMLSelectElement && target.matches("[data-list-for]")) propose(target);
    const form = target.closest<HTMLElement>("[data-kind-form]");
    if (form && target.matches("[name=kind]")) showKinds(form);
    const drop = target.closest<HTMLElement>("[data-drop]");
    if (drop) showName(drop);
  });
  document.addEventListener("input", (event) => {
    const target = event.target as HTMLInputElement;
    if (target.matches("[data-fill]")) fill(target);
  });
  document.addEventListener("dragover", onDrag);
  document.addEventListener("drop", onDrag);
}
