package api

import (
	"encoding/json"
	"reflect"

	"github.com/danielgtaylor/huma/v2"
)

// List is a list that is [] in JSON when it is empty, never null. A []T can be
// assigned to it.
type List[T any] []T

// MarshalJSON writes the elements.
func (l List[T]) MarshalJSON() ([]byte, error) {
	if len(l) == 0 {
		return []byte("[]"), nil
	}
	return json.Marshal([]T(l))
}

// Schema is that of an array that is never null.
func (List[T]) Schema(r huma.Registry) *huma.Schema {
	element := reflect.TypeFor[T]()
	return &huma.Schema{Type: huma.TypeArray, Items: r.Schema(element, true, element.Name())}
}
