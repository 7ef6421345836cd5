// Small things a page does for itself; without this file it still reads the same.

// A page opened as a file may not fetch others, so the search can't quote them: say so before it tries.
if (location.protocol === "file:") DOCUMENTATION_OPTIONS.SHOW_SEARCH_SUMMARY = false;

// Wide formulas, tables and code scroll sideways: let the keyboard reach those that do.
function reach() {
  for (const box of document.querySelectorAll(".formula, .highlight pre, .pst-scrollable-table-container, .cell_output")) {
    if (box.scrollWidth > box.clientWidth && !box.hasAttribute("tabindex")) {
      box.tabIndex = 0;
      box.setAttribute("role", "group");
      box.setAttribute("aria-label", "Scrolls sideways");
    }
  }
}
document.fonts.ready.then(reach);
addEventListener("resize", reach);
