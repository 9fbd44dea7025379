// The icons in ipywidgets' buttons must stay elements that its own code can find again.
window.FontAwesomeConfig = { autoReplaceSvg: "nest" };
