package cli

import (
	"io"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	lineWidth = 80 // characters; text is broken before it, tables are made to fit
	columnGap = "  "
)

// table writes rows in columns that line up.
type table struct {
	indent string
	titles []string
	right  []bool // the column's cells end in line: numbers
	rows   [][]string
	notes  map[int]string // of rows, by their index
}

// newTable returns a table with these titles. One that begins with ">" is of a
// column of numbers.
func newTable(titles ...string) *table {
	t := &table{right: make([]bool, len(titles))}
	for i, title := range titles {
		title, t.right[i] = strings.CutPrefix(title, ">")
		t.titles = append(t.titles, title)
	}
	return t
}

// row adds a row, with a cell for every title. Empty cells become "-", so that
// a script that splits at white space counts them too.
func (t *table) row(cells ...string) {
	row := make([]string, len(t.titles))
	for i := range row {
		row[i] = "-"
		if i < len(cells) && cells[i] != "" {
			row[i] = clean(cells[i])
		}
	}
	t.rows = append(t.rows, row)
}

// note adds lines of text below the last row. "": none.
func (t *table) note(text string) {
	if t.notes == nil {
		t.notes = map[int]string{}
	}
	t.notes[len(t.rows)-1] = text
}

// lines returns titles and rows as lines of text; none where there is no row.
func (t *table) lines() []string {
	if len(t.rows) == 0 {
		return nil
	}
	widths := make([]int, len(t.titles))
	all := append([][]string{t.titles}, t.rows...)
	for _, row := range all {
		for i, cell := range row {
			widths[i] = max(widths[i], utf8.RuneCountInString(cell))
		}
	}
	var lines []string
	for i, row := range all {
		var b strings.Builder
		b.WriteString(t.indent)
		for j, cell := range row {
			if j > 0 {
				b.WriteString(columnGap)
			}
			pad := strings.Repeat(" ", widths[j]-utf8.RuneCountInString(cell))
			if t.right[j] {
				b.WriteString(pad + cell)
			} else {
				b.WriteString(cell + pad)
			}
		}
		lines = append(lines, strings.TrimRight(b.String(), " "))
		lines = append(lines, wrap(t.indent+"    ", t.notes[i-1])...)
	}
	return lines
}

// write writes the lines.
func (t *table) write(out io.Writer) error { return writeLines(out, t.lines()) }

// writeLines writes lines, in one piece.
func writeLines(out io.Writer, lines []string) error {
	if len(lines) == 0 {
		return nil
	}
	// Each line is clean when it is made, so that it is as wide as it looks; here is
	// where it would matter if one was forgotten.
	var b strings.Builder
	for _, line := range lines {
		b.WriteString(clean(line) + "\n")
	}
	_, err := io.WriteString(out, b.String())
	return err
}

// wrap breaks text between words into lines of at most lineWidth characters, all
// with this indent. A longer word has a line of its own.
func wrap(indent, text string) []string {
	var lines []string
	line := ""
	for word := range strings.FieldsSeq(clean(text)) {
		switch {
		case line == "":
			line = indent + word
		case utf8.RuneCountInString(line)+1+utf8.RuneCountInString(word) > lineWidth:
			lines = append(lines, line)
			line = indent + word
		default:
			line += " " + word
		}
	}
	if line != "" {
		lines = append(lines, line)
	}
	return lines
}

// cleanLines is clean for text of several lines.
func cleanLines(text string) string {
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = clean(lines[i])
	}
	return strings.Join(lines, "\n")
}

// clean is text without what would steer a terminal: reasons and names come from
// people and from files, and are printed on the screens of others.
func clean(text string) string {
	return strings.Map(func(r rune) rune {
		switch {
		case r == '\n' || r == '\t':
			return ' '
		case unicode.IsControl(r), unicode.Is(unicode.Cf, r) && r != '\u200d', r == utf8.RuneError:
			return '?'
		}
		return r
	}, text)
}
