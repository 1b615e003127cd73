// What can be scrolled can be scrolled by keyboard.
function reach() {
  for (const part of document.querySelectorAll(".formula, .cell_output .output, .cell_input .highlight, .pst-scrollable-table-container, pre")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
  }
}
addEventListener("load", reach);
addEventListener("resize", reach);
