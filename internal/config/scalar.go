package config

import (
	"errors"
	"fmt"
	"net/netip"
	"strconv"
	"strings"
	"time"
)

// Duration is a time such as "5s", "250ms" or "1h30m".
type Duration time.Duration

// D returns d as the standard library's type.
func (d Duration) D() time.Duration { return time.Duration(d) }

// String is what a file would say: "1m" and not "1m0s".
func (d Duration) String() string {
	s := time.Duration(d).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

func parseDuration(s string) (Duration, error) {
	d, err := time.ParseDuration(s)
	return Duration(d), err
}

// Size is a number of bytes, such as "64KiB", "100MB" or "512".
type Size int64

var units = [...]struct {
	suffix string
	bytes  int64
}{
	{"KiB", 1 << 10}, {"MiB", 1 << 20}, {"GiB", 1 << 30}, {"TiB", 1 << 40},
	{"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}, {"TB", 1e12}, {"B", 1},
}

func (s Size) String() string {
	for _, u := range []int{3, 2, 1, 0} {
		if n := units[u].bytes; s != 0 && int64(s)%n == 0 {
			return strconv.FormatInt(int64(s)/n, 10) + units[u].suffix
		}
	}
	return strconv.FormatInt(int64(s), 10)
}

var errSize = errors.New("not a size")

func parseSize(s string) (Size, error) {
	number, factor := s, int64(1)
	for _, u := range units {
		if rest, ok := strings.CutSuffix(s, u.suffix); ok {
			number, factor = strings.TrimSpace(rest), u.bytes
			break
		}
	}
	n, err := strconv.ParseInt(number, 10, 64)
	if err != nil {
		return 0, fmt.Errorf("%w: %w", errSize, err)
	}
	if n < 0 || n > (1<<62)/factor {
		return 0, errSize
	}
	return Size(n * factor), nil
}

// Prefix is a network, such as "10.0.0.0/8" or "2001:db8::/32"; a plain address
// is a network of one. It is masked, and never an IPv4 network in IPv6 form.
type Prefix struct{ netip.Prefix }

func parsePrefix(s string) (Prefix, error) {
	if !strings.Contains(s, "/") {
		a, err := netip.ParseAddr(s)
		if err != nil {
			return Prefix{}, fmt.Errorf("parse network: %w", err)
		}
		if a.Zone() != "" {
			return Prefix{}, errors.New("parse network: an address with a zone")
		}
		a = a.Unmap()
		return Prefix{netip.PrefixFrom(a, a.BitLen())}, nil
	}
	p, err := netip.ParsePrefix(s)
	if err != nil {
		return Prefix{}, fmt.Errorf("parse network: %w", err)
	}
	if a := p.Addr(); a.Is4In6() && p.Bits() >= 96 { // visitors are compared without the mapping
		p = netip.PrefixFrom(a.Unmap(), p.Bits()-96)
	}
	return Prefix{p.Masked()}, nil
}

// StringList is one string or a list of them.
type StringList []string
