// What a screen reader is told about controls and lists of the theme.
document.addEventListener("DOMContentLoaded", () => {
  for (const button of document.querySelectorAll(".search-button-field")) {
    // the name of a button has to contain what is written on it
    button.setAttribute("aria-label", button.textContent.replace(/\s+/g, " ").trim());
  }
  for (const button of document.querySelectorAll(".theme-switch-button")) {
    const modes = [...button.querySelectorAll(".theme-switch")].map((icon) => icon.title);
    button.setAttribute("aria-label", `Color mode: ${modes.join(" ")}`);
  }
  for (const list of document.querySelectorAll(".citation-list")) {
    list.querySelectorAll("[role=doc-biblioentry]").forEach((entry) => {
      entry.setAttribute("role", "listitem"); // the other role was withdrawn
    });
    list.querySelectorAll(":scope > a").forEach((anchor) => anchor.remove());
  }
  for (const toggle of document.querySelectorAll("details.hide > summary")) {
    toggle.removeAttribute("aria-label"); // "Show code cell source" says it
  }
  for (const toggle of document.querySelectorAll("nav details > summary")) {
    const link = toggle.closest("li").querySelector("a");
    toggle.setAttribute("aria-label", `Pages below ${link.textContent.trim()}`);
  }
});
