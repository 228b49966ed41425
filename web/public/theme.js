// Runs before the first paint, so that nobody in a dark room sees a white page.
(function () {
  var theme = null;
  try {
    theme = localStorage.getItem("hg-theme");
  } catch (e) {
    // Storage can be off: dark is the default.
  }
  document.documentElement.dataset.theme = theme === "light" ? "light" : "dark";
  document.documentElement.dataset.mantineColorScheme = document.documentElement.dataset.theme;
})();
