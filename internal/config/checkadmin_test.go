package config

import (
	"errors"
	"strings"
	"testing"
)

func TestParse_WantsACertificateWhereOthersReachTheAdminListener(t *testing.T) {
	for address, wanted := range map[string]bool{
		"": false, "127.0.0.1:8090": false, "127.9.9.9:0": false, "localhost:8090": false, "[::1]:8090": false, "[::ffff:127.0.0.1]:8090": false,
		":8090": true, "0.0.0.0:8090": true, "[::]:8090": true, "10.0.0.5:8090": true, "[fe80::1%eth0]:8090": true, "[::ffff:10.0.0.5]:8090": true, ":0": true,
	} {
		text := "listen: {http: ':80', admin: '" + address + "'}\nsites: [{hosts: [a], routes: [{path: /, respond: {}}]}]\n"
		_, _, err := Parse("f", "/d", []byte(text), environment)
		var p Problem
		if !wanted {
			if err != nil {
				t.Errorf("%q: %v", address, err)
			}
			continue
		}
		if !errors.As(err, &p) || p.Path != "listen.admin" || p.Line != 1 || !strings.Contains(p.Message, "set admin.tls: {cert: FILE, key: FILE}, or listen on 127.0.0.1") {
			t.Errorf("%q: %v", address, err)
		}
		_, warnings, err := Parse("f", "/d", []byte(text+"admin: {tls: {cert: a.pem, key: a.key}}\n"), environment)
		if err != nil || len(warnings) != 1 || warnings[0].Path != "listen.admin" {
			t.Errorf("%q with a certificate: %v, %v", address, err, warnings)
		}
	}
	for _, name := range []string{"door:8090", "localhost.example:8090", "LOCALHOST.:8090"} {
		_, _, err := Parse("f", "/d", []byte("listen: {http: ':80', admin: '"+name+"'}\nsites: [{hosts: [a], routes: [{path: /, respond: {}}]}]\n"), environment)
		if err == nil || !strings.Contains(err.Error(), "listen.admin") {
			t.Errorf("%q: %v", name, err)
		}
	}
}
