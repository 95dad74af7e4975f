package api

import (
	"bytes"
	"crypto/sha256"
	_ "embed" // for the page
	"encoding/base64"
	"fmt"
	"html/template"
	"slices"
	"sort"
	"strconv"
	"strings"

	"github.com/danielgtaylor/huma/v2"
)

var (
	//go:embed page.html
	pageTemplate string
	//go:embed page.css
	pageStyle string
)

// newPage is the readable form of the document: one HTML page that loads nothing
// and runs nothing.
func newPage(oapi *huma.OpenAPI, operations []operation) ([]byte, error) {
	v := pageView{Title: oapi.Info.Title, Version: oapi.Info.Version, About: oapi.Info.Description, Kinds: kinds, Style: template.CSS(pageStyle)}
	for _, tag := range oapi.Tags {
		g := pageGroup{Name: tag.Name, Anchor: anchor(tag.Name), About: tag.Description}
		for _, o := range operations {
			if o.tag == tag.Name {
				g.Operations = append(g.Operations, viewOperation(oapi, o))
			}
		}
		v.Groups = append(v.Groups, g)
	}
	for _, name := range typeNames(oapi) {
		schema := oapi.Components.Schemas.Map()[name]
		v.Types = append(v.Types, pageType{Name: name, Fields: viewFields(schema)})
	}
	t, err := template.New("page").Parse(pageTemplate)
	if err != nil {
		return nil, err
	}
	var b bytes.Buffer
	err = t.Execute(&b, v)
	return b.Bytes(), err
}

// pagePolicy is the page's Content-Security-Policy: its one stylesheet, by its
// hash, and nothing else. html/template leaves a template.CSS as it is.
func pagePolicy() string {
	hash := sha256.Sum256([]byte(pageStyle))
	return nothingLoads + "; style-src 'sha256-" + base64.StdEncoding.EncodeToString(hash[:]) + "'; base-uri 'none'; form-action 'none'"
}

// What the template shows.
type (
	pageView struct {
		Title, Version, About string
		Style                 template.CSS
		Groups                []pageGroup
		Types                 []pageType
		Kinds                 []kind
	}
	pageGroup struct {
		Name, Anchor, About string
		Operations          []pageOperation
	}
	pageOperation struct {
		ID, Method, Path, Summary, Role string
		About                           []string // paragraphs
		Params                          []pageField
		Body                            []pageField
		Answers, Problems               []pageAnswer
		Events                          []pageField
		Socket, Token                   string // examples
	}
	pageAnswer struct{ Status, Meaning, Type string }
	pageType   struct {
		Name   string
		Fields []pageField
	}
	pageField struct {
		Name, Where, Type, Link, About string
		Required                       bool
	}
)

func viewOperation(oapi *huma.OpenAPI, o operation) pageOperation {
	item := oapi.Paths[base+o.path]
	op := map[string]*huma.Operation{"GET": item.Get, "PUT": item.Put, "POST": item.Post, "DELETE": item.Delete}[o.method]
	v := pageOperation{ID: o.id, Method: o.method, Path: base + o.path, Summary: o.summary, Role: string(o.role), About: strings.Split(o.doc, "\n\n")}
	for _, p := range op.Parameters {
		f := viewField(p.Name, p.Schema, p.Required)
		f.Where, f.About = p.In, withBounds(p.Description, p.Schema)
		v.Params = append(v.Params, f)
	}
	if op.RequestBody != nil {
		schema := op.RequestBody.Content["application/json"].Schema
		v.Body = viewFields(oapi.Components.Schemas.Map()[typeName(schema)])
	}
	for status, r := range op.Responses {
		a := pageAnswer{Status: status, Meaning: r.Description}
		for _, media := range r.Content {
			a.Type = typeName(media.Schema)
			if refs, ok := media.Schema.Extensions[eventsExtension].(map[string]any); ok {
				v.Events = viewEvents(refs)
			}
		}
		if r.Content[problemType] != nil {
			v.Problems = append(v.Problems, a)
		} else {
			v.Answers = append(v.Answers, a)
		}
	}
	slices.SortFunc(v.Problems, func(a, b pageAnswer) int { return strings.Compare(a.Status, b.Status) })
	v.Socket, v.Token = examples(o)
	return v
}

func viewEvents(refs map[string]any) []pageField {
	var all []pageField
	for _, e := range eventTypes {
		name := typeName(refs[string(e.kind)].(*huma.Schema)) // addEvents put them there
		all = append(all, pageField{Name: string(e.kind), Type: name, Link: name})
	}
	return all
}

// viewFields are the members of an object, the required ones first.
func viewFields(s *huma.Schema) []pageField {
	var all []pageField
	for name, p := range s.Properties {
		all = append(all, viewField(name, p, slices.Contains(s.Required, name)))
	}
	sort.Slice(all, func(i, j int) bool {
		if all[i].Required != all[j].Required {
			return all[i].Required
		}
		return all[i].Name < all[j].Name
	})
	return all
}

func viewField(name string, s *huma.Schema, required bool) pageField {
	f := pageField{Name: name, Required: required, About: withBounds(s.Description, s)}
	f.Type, f.Link = typeOf(s)
	return f
}

// typeOf is the type in words, and the type of the document that it leads to.
func typeOf(s *huma.Schema) (words, link string) {
	switch {
	case s.Ref != "":
		return typeName(s), typeName(s)
	case s.Type == huma.TypeArray:
		inner, link := typeOf(s.Items)
		return "list of " + inner, link
	case s.Format == "date-time":
		return "time", ""
	case s.Type == "":
		return "any", ""
	}
	return s.Type, ""
}

// withBounds adds to a description what else the document says of a value.
func withBounds(text string, s *huma.Schema) string {
	var more []string
	if len(s.Enum) > 0 {
		var words []string
		for _, e := range s.Enum {
			words = append(words, fmt.Sprint(e))
		}
		more = append(more, "One of "+strings.Join(words, ", ")+".")
	}
	if s.Minimum != nil && *s.Minimum != 0 {
		more = append(more, "At least "+strconv.FormatFloat(*s.Minimum, 'f', -1, 64)+".")
	}
	if s.Maximum != nil {
		more = append(more, "At most "+strconv.FormatFloat(*s.Maximum, 'f', -1, 64)+".")
	}
	if s.MaxLength != nil {
		more = append(more, fmt.Sprintf("At most %d characters.", *s.MaxLength))
	}
	if s.Default != nil {
		more = append(more, fmt.Sprintf("Default %v.", s.Default))
	}
	return strings.TrimSpace(text + " " + strings.Join(more, " "))
}

// examples are the two ways to ask by curl. The token is in a file: everybody on a
// machine may see the arguments of a command.
func examples(o operation) (socket, token string) {
	path, query := base+o.path, ""
	for value := range strings.SplitSeq(o.hint, "|") {
		before, rest, ok := strings.Cut(path, "{")
		if !ok {
			break
		}
		_, after, _ := strings.Cut(rest, "}")
		path = before + value + after
	}
	var flags string
	switch {
	case o.method == "GET" && o.tag == tagEvents:
		flags = " -N"
	case o.method != "GET":
		flags = " -X " + o.method
	}
	if strings.HasPrefix(o.example, "?") {
		query = o.example
	} else if o.example != "" {
		flags += " \\\n  -H 'Content-Type: application/json' \\\n  -d '" + o.example + "'"
	}
	return "curl --unix-socket /var/lib/evergate/admin.sock" + flags + " \\\n  'http://localhost" + path + query + "'",
		"curl -H @evergate-token" + flags + " \\\n  'https://door.example.org:8090" + path + query + "'"
}

func anchor(name string) string { return strings.ReplaceAll(strings.ToLower(name), " ", "-") }
