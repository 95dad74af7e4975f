package gateway

import (
	"errors"
	"net/http"
	"sync"
	"testing"

	"github.com/evergate/evergate/internal/exchange"
)

const twoHosts = `listen: {http: ":80"}` + oneOrigin + `
sites:
  - {hosts: [shop.test, "*.shop.test"], maintenance_message: "Back at noon.", routes: [{path: /*, origin: shop}]}
  - {hosts: [other.test], maintenance: true, routes: [{path: /*, origin: shop}]}
`

func TestSetMaintenance(t *testing.T) {
	d := newDoor(t, twoHosts)
	status := func(host string) int {
		res := d.serve(request("GET", "http://"+host+"/"))
		d.seen()
		return res.StatusCode
	}
	rt := d.current.Load()
	for _, step := range []struct {
		host        string
		on          bool
		shop, other int
	}{
		{"shop.test", true, 503, 503},
		{"*.shop.test", false, 200, 503}, // by another of its hosts
		{"other.test", false, 200, 200},
		{"other.test", false, 200, 200},
		{"shop.test", true, 503, 200},
	} {
		if err := rt.SetMaintenance(step.host, step.on); err != nil {
			t.Fatal(err)
		}
		if shop, other := status("www.shop.test"), status("other.test"); shop != step.shop || other != step.other {
			t.Errorf("maintenance of %s %t: %d and %d, want %d and %d", step.host, step.on, shop, other, step.shop, step.other)
		}
	}
	if err := rt.SetMaintenance("www.shop.test", true); !errors.Is(err, ErrNoSite) {
		t.Errorf("%v, want ErrNoSite: the configuration has no such host", err)
	}
}

func TestSetMaintenance_OfARuntimeToComeIsWhatItBeginsWith(t *testing.T) {
	d := newDoor(t, twoHosts)
	next, err := d.Prepare(load(t, twoHosts), d.servers, nil, observer(d.ended))
	if err != nil {
		t.Fatal(err)
	}
	if err := next.SetMaintenance("shop.test", true); err != nil {
		t.Fatal(err)
	}
	if res := d.serve(request("GET", "/")); res.StatusCode != http.StatusOK {
		t.Errorf("%d from the runtime in use", res.StatusCode)
	}
	old := d.Use(next)
	if res := d.serve(request("GET", "/")); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d from the next", res.StatusCode)
	}
	if err := old.SetMaintenance("shop.test", false); err != nil {
		t.Fatal(err)
	}
	if res := d.serve(request("GET", "/")); res.StatusCode != http.StatusServiceUnavailable {
		t.Errorf("%d after the lever of the one before was turned", res.StatusCode)
	}
}

func TestSetMaintenance_UnderLoad(t *testing.T) {
	d := newDoor(t, twoHosts)
	d.ended = make(chan exchange.Exchange, 1_000_000)
	d.use(twoHosts)
	rt := d.current.Load()
	stop := make(chan struct{})
	var load sync.WaitGroup
	for range 4 {
		load.Go(func() {
			for {
				select {
				case <-stop:
					return
				default:
				}
				if s := d.serve(request("GET", "/")).StatusCode; s != 200 && s != 503 {
					t.Errorf("%d", s)
					return
				}
			}
		})
	}
	for i := range 1000 {
		if err := rt.SetMaintenance("shop.test", i%2 == 0); err != nil {
			t.Error(err)
		}
		want := http.StatusServiceUnavailable
		if i%2 == 1 {
			want = http.StatusOK
		}
		if res := d.serve(request("GET", "/")); res.StatusCode != want {
			t.Fatalf("turn %d: %d, want %d", i, res.StatusCode, want)
		}
	}
	close(stop)
	load.Wait()
}
