#include "cli/report_page.h"

#include <criterion/criterion.h>
#include <string.h>

static struct report_page page;

static void fini(void)
{
    report_page_fini(&page);
}

TestSuite(report_page, .fini = fini);

Test(report_page, layout)
{
    report_page_begin(&page, "what happened");
    report_page_line(&page, "a line");
    report_page_section(&page, "hart %d", 3);
    report_page_put(&page, PAGE_NAME, "a0");
    report_page_column(&page, 6);
    report_page_put(&page, PAGE_PLAIN, "%#x", 16);
    report_page_mark(&page);
    report_page_end_line(&page);
    report_page_end(&page);
    const char *text = buffer_text(&page.text), *html = buffer_text(&page.html);
    cr_assert(strstr(text, "what happened\n=============\na line\n\n-- hart 3 ---"), "%s", text);
    cr_assert(strstr(text, "a0    0x10\n"), "%s", text);
    cr_assert(strstr(html, "<h1>what happened</h1>"), "%s", html);
    cr_assert(strstr(html, "<mark><span class=\"n\">a0</span>    0x10</mark>\n"), "%s", html);
    cr_assert(strstr(html, "prefers-color-scheme:dark"));
    cr_assert_null(strstr(html, "http:"));
    cr_assert_null(strstr(html, "src="));
    cr_assert_str_eq(html + strlen(html) - 8, "</html>\n");
}

/* Bytes of a guest end no element, begin none, and move no terminal's cursor. */
Test(report_page, hostile_text)
{
    char every[256];
    for (unsigned i = 1; i < 256; i++)
        every[i - 1] = (char)i;
    every[255] = 0;
    report_page_begin(&page, "</title><script>alert(1)</script>");
    report_page_section(&page, "<b>%s", every);
    report_page_line(&page, "%s", "</pre><img src=x onerror=alert(1)>");
    report_page_line(&page, "%s", every);
    report_page_line(&page, "%s",
                     "\x1b[2J\xc2\x9b"
                     "31m \xe2\x80\xae \xed\xa0\x80 \xff");
    report_page_line(&page, "%s", "caf\xc3\xa9 \xe2\x9c\x93 \xf0\x9f\x90\x9b");
    report_page_end(&page);
    const char *text = buffer_text(&page.text), *html = buffer_text(&page.html);
    cr_assert_null(strstr(html, "<script"));
    cr_assert_null(strstr(html, "<img"));
    cr_assert_null(strstr(html, "<b>"));
    cr_assert(strstr(html, "&lt;/pre&gt;&lt;img src=x onerror=alert(1)&gt;"));
    cr_assert(strstr(text, "\n?[2J??31m ??? ??? ?\n"), "%s", text);
    cr_assert(strstr(text, "\ncaf\xc3\xa9 \xe2\x9c\x93 \xf0\x9f\x90\x9b\n"));
    for (const uint8_t *p = page.text.data; p < page.text.data + page.text.size; p++)
        cr_assert(*p >= 0x20 || *p == '\n');
    for (const uint8_t *p = page.html.data; p < page.html.data + page.html.size; p++)
        cr_assert(*p >= 0x20 || *p == '\n');
}

Test(report_page, long_lines)
{
    char *line = malloc(200001);
    memset(line, '<', 200000);
    line[200000] = 0;
    report_page_begin(&page, line);
    report_page_line(&page, "%s", line);
    report_page_end(&page);
    cr_assert_gt(page.html.size, 2 * 200000 * 4);
    free(line);
}
