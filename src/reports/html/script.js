// Searching, folding and sorting; the page is whole without it.
(() => {
  "use strict";
  document.documentElement.classList.add("js-on");

  const find = document.getElementById("find");
  const section = document.getElementById("changes");
  if (find && section) {
    const found = document.getElementById("found");
    const modules = [...section.querySelectorAll("details.module")].map((element) => ({
      element,
      open: element.open,
      changes: [...element.querySelectorAll(".change")],
    }));
    const search = () => {
      const wanted = find.value.trim().toLowerCase();
      let shown = 0;
      for (const { element, open, changes } of modules) {
        let here = 0;
        for (const change of changes) {
          const matches = !wanted || change.textContent.toLowerCase().includes(wanted);
          change.hidden = !matches;
          if (change.style.display !== (matches ? "" : "none")) change.style.display = matches ? "" : "none";
          here += matches ? 1 : 0;
        }
        element.style.display = here ? "" : "none";
        element.open = wanted ? here > 0 : open;
        shown += here;
      }
      found.textContent = wanted ? `${shown} found` : "";
    };
    let waiting = 0;
    find.addEventListener("input", () => {
      clearTimeout(waiting);
      waiting = setTimeout(search, 120);
    });
    for (const button of section.querySelectorAll("button[data-all]")) {
      button.addEventListener("click", () => {
        const open = button.dataset.all === "open";
        for (const { element, changes } of modules) {
          element.open = open || element.open;
          for (const change of changes) if (change.localName === "details" && change.style.display !== "none") change.open = open;
        }
      });
    }
  }

  for (const table of document.querySelectorAll("table.sortable")) {
    const body = table.tBodies[0];
    const rows = [...body.rows];
    const value = (row, column) => {
      const cell = row.cells[column];
      return cell.dataset.v === undefined ? cell.textContent : Number(cell.dataset.v);
    };
    [...table.tHead.rows[0].cells].forEach((head, column) => {
      const sort = () => {
        const was = head.getAttribute("aria-sort");
        for (const other of table.tHead.rows[0].cells) other.removeAttribute("aria-sort");
        // Largest first, then smallest, then as things happened.
        const next = was === "descending" ? "ascending" : was === "ascending" ? null : "descending";
        const sorted = [...rows];
        if (next) {
          head.setAttribute("aria-sort", next);
          const sign = next === "ascending" ? 1 : -1;
          sorted.sort((one, other) => {
            const [a, b] = [value(one, column), value(other, column)];
            return sign * (typeof a === "number" ? a - b : a.localeCompare(b));
          });
        }
        body.append(...sorted);
      };
      head.tabIndex = 0;
      head.addEventListener("click", sort);
      head.addEventListener("keydown", (event) => {
        if (event.key === "Enter" || event.key === " ") { event.preventDefault(); sort(); }
      });
    });
  }

  // A link to a folded place opens it.
  const unfold = () => {
    const target = location.hash.length > 1 && document.getElementById(decodeURIComponent(location.hash.slice(1)));
    if (target && target.localName === "details") target.open = true;
  };
  addEventListener("hashchange", unfold);
  unfold();
})();
