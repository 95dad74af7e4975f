package keyring

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Sticky names servers in sticky cookies, so that a cookie says nothing about
// the network behind. After a rotation a cookie of the former key is still
// understood while that key is kept.
const Sticky = "sticky"

// purposes are all that there are, with what one loses when its keys are lost.
// Names are in files and in commands: they only grow, and never change.
var purposes = map[string]string{
	Sticky: "visitors with a sticky cookie are spread over the servers anew",
}

// ErrUnknownPurpose says that nothing in this program uses keys of that name.
var ErrUnknownPurpose = errors.New("there are no keys of this name")

// Purposes returns the names of all purposes, in order.
func Purposes() []string { return slices.Sorted(maps.Keys(purposes)) }

func unknown(purpose string) error {
	return fmt.Errorf("keys of %q: %w; there are: %s", purpose, ErrUnknownPurpose, strings.Join(Purposes(), ", "))
}
