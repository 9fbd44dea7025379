// ipywidgets typesets its labels by a call of MathJax 2; MathJax 3 has another one.
document.addEventListener("DOMContentLoaded", () => {
  if (window.MathJax && window.MathJax.startup && !window.MathJax.Hub) {
    const typeset = (element) => window.MathJax.typesetPromise([element]);
    window.MathJax.Hub = {
      Queue: ([, , element]) => window.MathJax.startup.promise.then(() => typeset(element)),
    };
  }
});
