/* dash_files.c - the page's files, taken in by the assembler (from the top of the tree, where make runs). */
#include "dash_files.h"

/* Two symbols around the file's bytes. */
#define FILE_BYTES(name, file)                                                                                         \
	extern const char name[], name##_end[];                                                                        \
	__asm__(".pushsection .rodata\n" #name ":\n.incbin \"" file "\"\n" #name "_end:\n.byte 0\n.popsection\n")

FILE_BYTES(dash_html, "run/dash.html");
FILE_BYTES(dash_css, "run/dash.css");
FILE_BYTES(dash_icon, "run/dash_icon.svg");
FILE_BYTES(dash_js, "run/dash.js");
FILE_BYTES(dash_model_js, "run/dash_model.js");
FILE_BYTES(dash_charts_js, "run/dash_charts.js");
FILE_BYTES(dash_panels_js, "run/dash_panels.js");
FILE_BYTES(dash_state_js, "run/dash_state.js");
FILE_BYTES(dash_views_js, "run/dash_views.js");
FILE_BYTES(uplot_js, "run/vendor/uPlot.iife.min.js");
FILE_BYTES(uplot_css, "run/vendor/uPlot.min.css");

#define SCRIPT "text/javascript; charset=utf-8"
#define STYLE "text/css; charset=utf-8"

const struct dash_file dash_files[DASH_FILES] = {
	{ "/", "text/html; charset=utf-8", dash_html, dash_html_end },
	{ "/dash.css", STYLE, dash_css, dash_css_end },
	{ "/dash_icon.svg", "image/svg+xml", dash_icon, dash_icon_end },
	{ "/dash.js", SCRIPT, dash_js, dash_js_end },
	{ "/dash_model.js", SCRIPT, dash_model_js, dash_model_js_end },
	{ "/dash_charts.js", SCRIPT, dash_charts_js, dash_charts_js_end },
	{ "/dash_panels.js", SCRIPT, dash_panels_js, dash_panels_js_end },
	{ "/dash_state.js", SCRIPT, dash_state_js, dash_state_js_end },
	{ "/dash_views.js", SCRIPT, dash_views_js, dash_views_js_end },
	{ "/uPlot.js", SCRIPT, uplot_js, uplot_js_end },
	{ "/uPlot.css", STYLE, uplot_css, uplot_css_end },
};
