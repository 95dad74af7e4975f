package config

import (
	"bytes"
	"errors"
	"io"
	"regexp"
	"strings"

	"go.yaml.in/yaml/v3"
)

const emptyFile = "is empty; it needs at least listen and sites"

// document parses the YAML and returns its one root, or nil with a problem.
func (r *reader) document(data []byte) *yaml.Node {
	if len(data) > maxFile {
		r.problem(nil, "", "is larger than 1 MiB")
		return nil
	}
	docs, consumed, err := parseYAML(data)
	switch {
	case err != nil:
		r.syntax(data, consumed, err)
	case len(docs) > 1:
		r.problem(docs[1], "", "has a second document after \"---\"; only one is read")
	case len(docs) == 0 || len(docs[0].Content) != 1 || isNull(docs[0].Content[0]):
		r.problem(nil, "", "%s", emptyFile)
	default:
		return docs[0].Content[0]
	}
	return nil
}

// parseYAML returns the documents of data, two at most, and how many lines were
// asked for until the end or the error.
func parseYAML(data []byte) (docs []*yaml.Node, consumed int, err error) {
	lines := &lineReader{rest: data}
	decoder := yaml.NewDecoder(lines)
	for len(docs) < 2 {
		doc := new(yaml.Node)
		if err := decoder.Decode(doc); errors.Is(err, io.EOF) {
			break
		} else if err != nil {
			return docs, lines.n, err
		}
		docs = append(docs, doc)
	}
	return docs, lines.n, nil
}

// lineReader gives one line at a time and counts them.
type lineReader struct {
	rest []byte
	n    int  // lines begun
	open bool // the last one is not yet at its end
}

func (l *lineReader) Read(p []byte) (int, error) {
	if len(l.rest) == 0 {
		return 0, io.EOF
	}
	if !l.open {
		l.n++
	}
	end := bytes.IndexByte(l.rest, '\n') + 1
	if end == 0 {
		end = len(l.rest)
	}
	n := copy(p, l.rest[:end])
	l.open = n < end
	l.rest = l.rest[n:]
	return n, nil
}

// mostSteps bounds how far syntax looks back for the line of an error.
const mostSteps = 20

var yamlLine = regexp.MustCompile(`^line \d+: `)

// unknownAnchor repeats the name, which may be a secret that begins with "*".
var unknownAnchor = regexp.MustCompile(`(?s)^unknown anchor '.*' referenced$`)

// syntax notes an error of the YAML library. Its own line is where the block
// begins in which it met the error, less one, and often far away. The line of
// the error is not behind the last one that the library asked for; it is the
// first one without which the error would not be there.
func (r *reader) syntax(data []byte, consumed int, err error) {
	message := complaint(err)
	lines := bytes.SplitAfter(data, []byte("\n"))
	line := min(consumed, len(lines))
	for steps := 0; line > 1 && steps < mostSteps; steps++ {
		_, _, err := parseYAML(bytes.Join(lines[:line-1], nil))
		if complaint(err) != message {
			break
		}
		line--
	}
	p := Problem{File: r.file, Line: line, Column: 1, Message: "not YAML: " + message + "; check the indentation, quotes and brackets here and just before"}
	if line > 0 {
		text := lines[line-1]
		indent := text[:len(text)-len(bytes.TrimLeft(text, " \t"))]
		p.Column += len(indent)
		if bytes.Contains(indent, []byte("\t")) { // the library's own words do not name it
			p.Message = "not YAML: a tab in the indentation; use spaces"
		}
	}
	r.problems = append(r.problems, p)
	r.unread[""] = true
}

// complaint is the text of an error of the YAML library without its line, "" for nil.
func complaint(err error) string {
	if err == nil {
		return ""
	}
	message := yamlLine.ReplaceAllString(strings.TrimPrefix(err.Error(), "yaml: "), "")
	return unknownAnchor.ReplaceAllLiteralString(message, "an alias (*NAME) for which there is no anchor (&NAME); a text that begins with \"*\" must be in quotes")
}
