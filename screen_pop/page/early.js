// Before the first paint: the reader's own choice of theme and language, so that nothing flashes.
// A classic script on purpose: modules wait for the document.
(() => {
  try {
    const chosen = JSON.parse(localStorage.getItem('cti.preferences') ?? '{}');
    if (chosen.theme === 'light' || chosen.theme === 'dark') document.documentElement.dataset.theme = chosen.theme;
    if (chosen.language === 'zh') document.documentElement.lang = 'zh-CN';
  } catch {
    // storage is blocked or holds something else: the defaults stand
  }
})();
