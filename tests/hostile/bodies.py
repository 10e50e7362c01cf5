"""Hostile bodies of HTML, each named by its defect: alone in an entry, and as a page's article."""

from hostile.feeds import TEXT, filled


def divisions_nested() -> str:
    return "<div>" * 40_000 + "x"


def tables_nested() -> str:
    return "<table><tr><td>" * 15_000 + "x"


def formatting_nested() -> str:
    return "<b><i><font><a href=x>" * 7000 + "x"


def formatting_never_closed() -> str:
    return "<p><b><i><u><s><em>x</p>" * 5000


def formatting_in_every_paragraph() -> str:
    return "<b>" * 100 + "<p>x</p>" * 14_000


def languages_in_every_paragraph() -> str:
    return "".join(f"<span lang=x{n}>" for n in range(100)) + "<p>x</p>" * 14_000


def lists_nested() -> str:
    return "<ul><li>x" * 14_000


def lists_nested_as_deep_as_allowed() -> str:
    return ("<ul><li>x" * 55 + "</ul>" * 55) * 150


def definitions_nested() -> str:
    return "<dl><dt>x<dd>" * 40 + "y" + "</dl>" * 40


def definitions_nested_with_text() -> str:
    return "<dl><dd>" * 12 + "word " * 2000 + "</dd></dl>" * 12


def quotes_nested() -> str:
    return "<blockquote>" * 110 + "word " * 100_000 + "</blockquote>" * 110


def figures_nested() -> str:
    return "<figure><img src=/a.jpg>" * 55 + "<figcaption>x</figcaption></figure>" * 55


def credits_in_credits() -> str:
    inside = "<span class=credit>" * 100 + "word " * 150_000 + "</span>" * 100
    return f"<figure><img src=/a.jpg>{inside}</figure>"


def credits_in_a_row() -> str:
    return "<figure><img src=/a.jpg>" + "<span class=credit>x</span>" * 14_000 + "</figure>"


def captions_with_figures() -> str:
    return "<figure><img src=/a.jpg><figcaption>" * 50 + "word " * 50_000


def rows_in_rows() -> str:
    return "<table>" + "<tr><td><div>" * 35 + "word " * 20_000


def cells() -> str:
    return "<table>" + ("<tr>" + "<td>x" * 99) * 290 + "</table>"


def spans() -> str:
    return "<table>" + "<tr><td colspan=99 rowspan=99>x<td>y" * 9000 + "</table>"


def captions_of_a_table() -> str:
    return "<table>" + "<caption>x</caption>" * 9000 + "<tr><td>x<td>y</table>"


def preformatted_in_preformatted() -> str:
    return "<pre>" * 100 + "word\n" * 100_000


def footnotes() -> str:
    refers = "".join(f"<a href=#f{n}>x</a>" for n in range(9000))
    return refers + "".join(f"<p id=f{n}>y</p>" for n in range(9000))


def footnotes_to_one_place() -> str:
    return "<a href=#f>x</a>" * 12_000 + "<p id=f>y</p>" * 12_000


def ids_of_list_items() -> str:
    return "<a href=#f>x</a><ul>" + "<li id=f>y</li>" * 12_000 + "</ul>"


def line_breaks() -> str:
    return "x<br>" * 28_000


def rules() -> str:
    return "<hr>" * 28_000


def pictures() -> str:
    return "".join(f'<img src="/{n}.jpg" alt="one two three">' for n in range(20_000))


def addresses_of_two_kilobytes() -> str:
    return "".join(f'<a href="https://a.example/{n}/{"é" * 300}">x</a> ' for n in range(1500))


def a_srcset_of_a_megabyte() -> str:
    return f'<img srcset="{"https://a.example/1.jpg 1x, " * 40_000}">'


def a_srcset_of_spaces() -> str:
    return f'<img srcset="{"x," + " " * 1_000_000}y">'


def a_style_of_spaces() -> str:
    return f'<p style="display{" " * 1_000_000}x">y</p><img src=x style="{";width" + " " * 10**6}">'


def a_class_of_a_megabyte() -> str:
    return f'<figure><img src=/a.jpg><span class="{"-caption credit " * 60_000}">x</span></figure>'


def attributes() -> str:
    return "<p " + " ".join(f"a{n}={n}" for n in range(50_000)) + ">x</p>"


def attributes_just_allowed() -> str:
    return ("<p " + " ".join(f"a{n}=1" for n in range(249)) + ">x</p>") * 1200


def attributes_without_spaces() -> str:
    return "<p " + "".join(f'a{n}="1"' for n in range(50_000)) + ">x</p>"


def attributes_behind_an_open_comment() -> str:
    return "<!-- <p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x</p>"


def attributes_behind_a_short_comment() -> str:
    return "<!--><p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x</p>"


def attributes_inside_a_title() -> str:
    return "<title><p " + " ".join(f"a{n}=1" for n in range(50_000)) + "></title>"


def attributes_inside_a_text_area() -> str:
    return "<textarea><p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x</p></textarea>"


def attributes_inside_an_iframe() -> str:
    return "<iframe><p " + " ".join(f"a{n}=1" for n in range(50_000)) + ">x</p></iframe>"


def attributes_split_by_quotes() -> str:
    return "<p " + "".join(f"a{n}='1'\"" for n in range(50_000)) + ">x</p>"


def attribute_starts() -> str:
    return "<a a='" * 25_000 + "x" * 2_000_000


def tag_starts() -> str:
    return "<a" * 28_000 + "x" * 2_000_000


def comments() -> str:
    return "<!-- x -->" * 28_000 + TEXT


def comments_never_closed() -> str:
    return TEXT + "<!--" * 28_000


def comment_ends() -> str:
    return "<!--" + "--!" * 1_000_000


def options() -> str:
    return "<select>" + "<option>x" * 28_000


def selects_nested() -> str:
    return "<select><optgroup><option>" * 9000


def inline_drawings() -> str:
    return "<svg><g><path d='M0 0'/>" * 9000


def templates_nested() -> str:
    return "<template>" * 28_000


def forms_nested() -> str:
    return "<form><input>" * 14_000


def text_only_elements() -> str:
    return "<textarea><title><xmp><noscript><style><script>" * 4000


def headings() -> str:
    return "".join(f"<h{n % 6 + 1}>x</h{n % 6 + 1}>" for n in range(14_000))


def rubies() -> str:
    return "<ruby>x<rp>(<rt>y<rp>)" * 7000


def isolates() -> str:
    return "<p>" + "\u2067" * 500_000 + "</p>"


def isolates_in_pieces() -> str:
    return ("\u2067x\u2069<b>" * 100 + "</b>" * 100) * 140


def ampersands() -> str:
    return "<p>" + "&" * 900_000 + "</p>"


def references() -> str:
    return "<p>" + "&amp;lt;" * 110_000 + "</p>"


def references_never_ended() -> str:
    return "<p>" + "&a" * 450_000 + "</p>"


def one_word() -> str:
    return f"<p>{'x' * 900_000}</p>"


def one_paragraph() -> str:
    return f"<p>{'word ' * 190_000}</p>"


def four_million_letters() -> str:
    return f"<p>{'x' * 3_990_000}</p>"


def spaces() -> str:
    return f"<p>x{' ' * 3_900_000}y</p>"


def less_than_signs() -> str:
    return filled("< ", 56_000) + TEXT


def closing_tags() -> str:
    return "</p>" * 28_000 + TEXT


def closing_breaks() -> str:
    return "</br>" * 28_000 + TEXT


def embeds() -> str:
    return '<iframe src="https://a.example/" title="x"></iframe>' * 14_000


def sources() -> str:
    return "<video>" + "<source src=javascript:x>" * 20_000 + "</video>"


def players_nested() -> str:
    return "<video><object>" * 55 + "<source src=javascript:x>" * 5000


def abbreviations() -> str:
    return f'<abbr title="{"w " * 100_000}">' * 3 + "<p>x</p>" * 9000


def fonts_and_spans() -> str:
    return "<span lang=ru><font color=x>" * 50 + "<p>слово</p>" * 9000


def unknown_elements() -> str:
    return "".join(f"<x-{n}>y" for n in range(20_000))


def emoji() -> str:
    return "<p>" + "👩‍👩‍👧‍👦" * 20_000 + "</p>"


def letters_that_grow() -> str:
    return "<p>" + "ﷺ" * 200_000 + "</p>"
