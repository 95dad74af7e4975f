package config

import "testing"

func TestAddress_IsThePartsOfTheURL(t *testing.T) {
	tests := []struct {
		url  string
		want Address
	}{
		{"http://a.example", Address{"http", "a.example", "80", ""}},
		{"https://A.example/", Address{"https", "a.example", "443", ""}},
		{"http://[2001:DB8::1]:8080", Address{"http", "2001:db8::1", "8080", ""}},
		{"http://my_app:8080", Address{"http", "my_app", "8080", ""}},
		{"unix:/run/app.sock", Address{"unix", "", "", "/run/app.sock"}},
		{"unix:///run/app.sock", Address{"unix", "", "", "/run/app.sock"}},
		{"unix:run/app.sock", Address{"unix", "", "", "run/app.sock"}},
		{"ftp://a.example", Address{}},
		{"http://a.example/app", Address{}},
		{"http://user@a.example", Address{}},
	}
	for _, tt := range tests {
		t.Run(tt.url, func(t *testing.T) {
			got := (&Server{URL: tt.url}).Address()
			if got != tt.want {
				t.Fatalf("%+v, want %+v", got, tt.want)
			}
			if got == (Address{}) {
				return
			}
			if again := (&Server{URL: got.String()}).Address(); again != got {
				t.Errorf("%s is read as %+v, want %+v", got, again, got)
			}
		})
	}
}

func FuzzAddress(f *testing.F) {
	for _, s := range []string{"http://a", "https://[::1]:1", "unix:/a", "http://u:p@b/", "http://bücher.example", "http://[::1%25eth0]"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) {
		a, problem := parseAddress(s)
		if problem != "" {
			return
		}
		again, problem := parseAddress(a.String())
		if problem != "" || again != a {
			t.Errorf("%q is %+v, and %s is %+v (%s)", s, a, a, again, problem)
		}
	})
}
