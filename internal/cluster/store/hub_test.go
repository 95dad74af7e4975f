package store

import "testing"

func TestHub(t *testing.T) {
	var h hub
	levers, stop := h.listen("levers")
	leases, _ := h.listen("leases")
	awake := func(wake <-chan struct{}) bool {
		select {
		case <-wake:
			return true
		default:
			return false
		}
	}
	h.wake("levers")
	h.wake("levers")
	if !awake(levers) || awake(levers) {
		t.Error("two wake-ups at once are not one")
	}
	if awake(leases) {
		t.Error("the listener of another channel woke up")
	}
	h.wake("")
	if !awake(levers) || !awake(leases) {
		t.Error("the empty channel does not wake everybody")
	}
	stop()
	stop()
	h.wake("")
	if awake(levers) || !awake(leases) {
		t.Error("stop ended the wrong listener")
	}
}
