package chat

import (
	"fmt"
	"net/url"
)

// form is the body of a Slack or Mattermost request. Query parameters never get in:
// no program signs them.
type form url.Values

// parseForm reads a body, or says errMalformed. A field of which there are two is no
// reason yet: Mattermost repeats some that nobody asks for.
func parseForm(body []byte) (form, error) {
	values, err := url.ParseQuery(string(body))
	if err != nil {
		return nil, fmt.Errorf("%w: the form cannot be read", errMalformed) // err would show a piece of it
	}
	return form(values), nil
}

// one returns the value of a field, "" if it is missing. Of a field that is there
// twice another reader might take the other one, so it is errMalformed.
func (f form) one(name string) (string, error) {
	switch values := f[name]; len(values) {
	case 0:
		return "", nil
	case 1:
		return values[0], nil
	default:
		return "", fmt.Errorf("%w: the form has %s %d times", errMalformed, name, len(values))
	}
}

// all returns the values of fields, in their order, by the rule of one.
func (f form) all(names ...string) ([]string, error) {
	values := make([]string, len(names))
	for i, name := range names {
		value, err := f.one(name)
		if err != nil {
			return nil, err
		}
		values[i] = value
	}
	return values, nil
}
