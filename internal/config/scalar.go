package config

import (
	"net/netip"
	"time"
)

// Duration is a time such as "5s", "250ms" or "1h30m".
type Duration time.Duration

// D returns d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// Size is a number of bytes, such as "64KiB", "100MB" or "512".
type Size int64

// Prefix is a network, such as "10.0.0.0/8" or "2001:db8::/32"; a plain address is a network of one.
type Prefix struct{ netip.Prefix }

// StringList is one string or a list of them.
type StringList []string
