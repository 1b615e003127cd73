// What can be scrolled can be scrolled by keyboard.
function reach() {
  for (const part of document.querySelectorAll(".formula, .cell_output .output, .cell_input .highlight, .pst-scrollable-table-container, pre")) {
    if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
  }
}
addEventListener("load", reach);
addEventListener("resize", reach);

// The theme's arrows that open a part of the contents have no text of their own.
addEventListener("DOMContentLoaded", () => {
  for (const arrow of document.querySelectorAll("nav summary")) {
    const page = arrow.closest("li")?.querySelector("a");
    arrow.setAttribute("aria-label", `Pages below ${page ? page.textContent.trim() : "this one"}`);
  }
});

// Paper is light.
{
  const page = document.documentElement;
  let shown;
  addEventListener("beforeprint", () => { shown = page.dataset.theme; page.dataset.theme = "light"; });
  addEventListener("afterprint", () => { page.dataset.theme = shown; });
}
