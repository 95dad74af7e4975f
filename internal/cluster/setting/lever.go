package setting

import (
	"bytes"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// Kind is what the values of a lever are.
type Kind string

// The kinds. A percent is a whole number without its sign.
const (
	Boolean Kind = "boolean"
	Integer Kind = "integer"
	Percent Kind = "percent"
	Word    Kind = "word"
)

// Lever is the declaration of a lever: what its values are and what it does. One
// declaration stands for the levers of that kind of all origins, servers or sites:
// in Pattern, a part in capitals ("NAME", "[ADDR]") is the name of one.
type Lever struct {
	Pattern string // its path in the configuration: "origins.NAME.servers[ADDR].weight"
	Kind    Kind
	Unit    string   // "", or what a number counts: "requests", "%"
	Min     int64    // of integers and percents
	Max     int64    // likewise
	Words   []string // of a word: all that there are
	Default any      // of the configuration: a bool, an int64 or a string
	Doc     string   // one sentence: what it does
}

// Parse makes a value of what somebody typed. The error says what is wanted.
func (l Lever) Parse(text string) (json.RawMessage, error) {
	text = strings.TrimSpace(text)
	switch l.Kind {
	case Boolean:
		switch strings.ToLower(text) {
		case "true", "on", "yes":
			return json.RawMessage("true"), nil
		case "false", "off", "no":
			return json.RawMessage("false"), nil
		}
		return nil, l.want(text)
	case Percent:
		text = strings.TrimSpace(strings.TrimSuffix(text, "%"))
		fallthrough
	case Integer:
		n, err := strconv.ParseInt(text, 10, 64)
		if err != nil || n < l.Min || n > l.Max {
			return nil, l.want(text)
		}
		return json.RawMessage(strconv.FormatInt(n, 10)), nil
	case Word:
		word := strings.ToLower(text)
		if !slices.Contains(l.Words, word) {
			return nil, l.want(text)
		}
		return json.Marshal(word)
	}
	return nil, l.want(text)
}

// Check says what is wrong with a value in JSON. nil, a reset, is always good.
func (l Lever) Check(value json.RawMessage) error {
	if value == nil {
		return nil
	}
	_, err := l.decode(value)
	return err
}

// Bool returns a value of a Boolean lever that Check found good.
func (l Lever) Bool(value json.RawMessage) bool {
	v, _ := l.decode(value)
	b, _ := v.(bool)
	return b
}

// Int returns a value of an Integer or Percent lever that Check found good.
func (l Lever) Int(value json.RawMessage) int {
	v, _ := l.decode(value)
	n, _ := v.(int64)
	return int(n)
}

// Word returns a value of a Word lever that Check found good.
func (l Lever) Word(value json.RawMessage) string {
	v, _ := l.decode(value)
	w, _ := v.(string)
	return w
}

// decode reads a value: a bool, an int64 or a string.
func (l Lever) decode(value json.RawMessage) (any, error) {
	text := string(bytes.TrimSpace(value))
	switch l.Kind {
	case Boolean:
		if text == "true" || text == "false" {
			return text == "true", nil
		}
	case Integer, Percent:
		n, err := strconv.ParseInt(text, 10, 64)
		if err == nil && n >= l.Min && n <= l.Max {
			return n, nil
		}
	case Word:
		var word string
		if json.Unmarshal(value, &word) == nil && slices.Contains(l.Words, word) {
			return word, nil
		}
	}
	var word string
	if json.Unmarshal(value, &word) == nil {
		text = word
	}
	return nil, l.want(text)
}

// want says what a value must be.
func (l Lever) want(got string) error {
	const longest = 40
	if runes := []rune(got); len(runes) > longest {
		got = string(runes[:longest]) + "..."
	}
	var wanted string
	switch l.Kind {
	case Boolean:
		wanted = "true or false"
	case Integer, Percent:
		wanted = fmt.Sprintf("a whole number from %d to %d", l.Min, l.Max)
	case Word:
		wanted = "one of " + strings.Join(l.Words, ", ")
	}
	return &ValueError{Lever: l, Message: fmt.Sprintf("%q will not do: want %s", got, wanted)}
}
