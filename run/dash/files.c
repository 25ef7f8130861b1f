/* files.c - the page's files, taken in by the assembler (from the top of the tree, where make runs). */
#include "files.h"

/* Two symbols around the file's bytes. */
#define FILE_BYTES(name, file)                                                                                         \
	extern const char name[], name##_end[];                                                                        \
	__asm__(".pushsection .rodata\n" #name ":\n.incbin \"" file "\"\n" #name "_end:\n.byte 0\n.popsection\n")

FILE_BYTES(page_html, "run/dash/page/page.html");
FILE_BYTES(page_css, "run/dash/page/page.css");
FILE_BYTES(page_icon, "run/dash/page/icon.svg");
FILE_BYTES(page_js, "run/dash/page/page.js");
FILE_BYTES(model_js, "run/dash/page/model.js");
FILE_BYTES(charts_js, "run/dash/page/charts.js");
FILE_BYTES(panels_js, "run/dash/page/panels.js");
FILE_BYTES(state_js, "run/dash/page/state.js");
FILE_BYTES(views_js, "run/dash/page/views.js");
FILE_BYTES(format_js, "run/dash/page/format.js");
FILE_BYTES(happened_js, "run/dash/page/happened.js");
FILE_BYTES(status_js, "run/dash/page/status.js");
FILE_BYTES(uplot_js, "run/dash/vendor/uPlot.iife.min.js");
FILE_BYTES(uplot_css, "run/dash/vendor/uPlot.min.css");

#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"

const struct dash_file dash_files[DASH_FILES] = {
	{ "/", "text/html; charset=utf-8", page_html, page_html_end },
	{ "/page.css", STYLE, page_css, page_css_end },
	{ "/icon.svg", "image/svg+xml", page_icon, page_icon_end },
	{ "/page.js", SCRIPT, page_js, page_js_end },
	{ "/model.js", SCRIPT, model_js, model_js_end },
	{ "/charts.js", SCRIPT, charts_js, charts_js_end },
	{ "/panels.js", SCRIPT, panels_js, panels_js_end },
	{ "/state.js", SCRIPT, state_js, state_js_end },
	{ "/views.js", SCRIPT, views_js, views_js_end },
	{ "/format.js", SCRIPT, format_js, format_js_end },
	{ "/happened.js", SCRIPT, happened_js, happened_js_end },
	{ "/status.js", SCRIPT, status_js, status_js_end },
	{ "/uPlot.js", SCRIPT, uplot_js, uplot_js_end },
	{ "/uPlot.css", STYLE, uplot_css, uplot_css_end },
};
