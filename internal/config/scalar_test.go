package config

import (
	"testing"
	"time"
)

func TestDuration_IsWrittenAsInAFile(t *testing.T) {
	for d, want := range map[time.Duration]string{
		time.Minute: "1m", 90 * time.Second: "1m30s", time.Hour: "1h", 90 * time.Minute: "1h30m", 250 * time.Millisecond: "250ms", 0: "0s", 10 * time.Second: "10s",
	} {
		if got := Duration(d).String(); got != want {
			t.Errorf("%s, want %s", got, want)
		}
		if again, err := parseDuration(want); err != nil || again.D() != d {
			t.Errorf("%s is read as %s, %v", want, again, err)
		}
	}
}

func TestSize_IsReadInItsUnits(t *testing.T) {
	good := map[string]Size{
		"0": 0, "500": 500, "500B": 500, "64KiB": 65536, "64 KiB": 65536, "1MB": 1e6, "100MiB": 100 << 20, "2GiB": 2 << 30, "1GB": 1e9, "1TiB": 1 << 40, "3TB": 3e12, "7KB": 7000,
	}
	for s, want := range good {
		if got, err := parseSize(s); got != want || err != nil {
			t.Errorf("%s is %d, %v, want %d", s, got, err, want)
		}
	}
	for _, s := range []string{"", "KiB", "-1", "1.5GiB", "1kb", "64K", "0x10", "9999999999TiB", "99999999999999999999", "1 2"} {
		if got, err := parseSize(s); err == nil {
			t.Errorf("%q is %d", s, got)
		}
	}
	for size, want := range map[Size]string{65536: "64KiB", 100 << 20: "100MiB", 500: "500", 0: "0", 1e6: "1000000", 3 << 40: "3TiB"} {
		if got := size.String(); got != want {
			t.Errorf("%d is %s, want %s", size, got, want)
		}
	}
}

func TestPrefix_IsMasked(t *testing.T) {
	for s, want := range map[string]string{
		"10.1.2.3/8": "10.0.0.0/8", "192.0.2.7": "192.0.2.7/32", "2001:db8::1": "2001:db8::1/128", "2001:db8::1/32": "2001:db8::/32",
		"::ffff:10.0.0.1": "10.0.0.1/32", "::ffff:10.1.0.0/104": "10.0.0.0/8",
	} {
		if got, err := parsePrefix(s); err != nil || got.String() != want {
			t.Errorf("%s is %v, %v, want %s", s, got, err, want)
		}
	}
	for _, s := range []string{"", "localhost", "10.0.0.0/33", "10.0.0", "fe80::1%eth0", "fe80::%eth0/64"} {
		if got, err := parsePrefix(s); err == nil {
			t.Errorf("%q is %v", s, got)
		}
	}
}

func FuzzScalars(f *testing.F) {
	for _, s := range []string{"5s", "64KiB", "10.0.0.0/8", "::ffff:1.2.3.4/96", "-1", "1h30m", "9223372036854775807"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		if size, err := parseSize(s); err == nil {
			if again, err := parseSize(size.String()); err != nil || again != size || size < 0 {
				t.Errorf("size %q is %d, and %s is %d, %v", s, size, size, again, err)
			}
		}
		if d, err := parseDuration(s); err == nil {
			if again, err := parseDuration(d.String()); err != nil || again != d {
				t.Errorf("time %q is %d, and %s is %d, %v", s, d, d, again, err)
			}
		}
		if p, err := parsePrefix(s); err == nil {
			if again, err := parsePrefix(p.String()); err != nil || again != p || p.Masked() != p.Prefix {
				t.Errorf("network %q is %v, and that is %v, %v", s, p, again, err)
			}
		}
	})
}
