// Equations and tables that are wider than the screen scroll by themselves; where there is more of
// one, it fades (book.css).
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  const wide = "div.math > mjx-container, .pst-scrollable-table-container, .scrolled, .text_html";
  for (const box of document.querySelectorAll(wide)) {
    const mark = () => {
      const rest = box.scrollWidth - box.clientWidth - box.scrollLeft;
      box.classList.toggle("more-after", rest > 2);
      box.classList.toggle("more-before", box.scrollLeft > 2);
    };
    box.addEventListener("scroll", mark, { passive: true });
    new ResizeObserver(mark).observe(box);
  }
});
