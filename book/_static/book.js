// Small things a page does for itself; without this file it still reads the same.
// Wide formulas, tables and code scroll sideways: let the keyboard reach those that do.
function reach() {
  for (const box of document.querySelectorAll(".formula, .highlight pre, .pst-scrollable-table-container, .cell_output")) {
    const wide = box.scrollWidth > box.clientWidth + 1;
    if (wide && !box.hasAttribute("tabindex")) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Scrolls sideways");
    }
  }
}
addEventListener("load", reach);
addEventListener("resize", reach);
