package report

import (
	"fmt"
	"os"
	"regexp"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// Machine is where the numbers come from. It holds no name and no address.
type Machine struct {
	Processor string `json:"processor"`
	Count     int    `json:"processors"`
	MemoryGiB int    `json:"memory_gib"`
	Kernel    string `json:"kernel"`
	System    string `json:"system"`
}

// ThisMachine reads what the kernel tells; what it does not is left empty.
func ThisMachine() Machine {
	m := Machine{Processor: runtime.GOARCH, Count: runtime.NumCPU(), System: runtime.GOOS}
	if text, err := os.ReadFile("/proc/cpuinfo"); err == nil {
		m.Processor = valueOf(string(text), `(?m)^model name\s*:\s*(.*)$`, m.Processor)
	}
	if text, err := os.ReadFile("/etc/os-release"); err == nil {
		m.System = valueOf(string(text), `(?m)^PRETTY_NAME="?(.*?)"?$`, m.System)
	}
	var name unix.Utsname
	if unix.Uname(&name) == nil {
		m.Kernel = unix.ByteSliceToString(name.Release[:])
	}
	var info unix.Sysinfo_t
	if unix.Sysinfo(&info) == nil {
		const gib = 1 << 30
		m.MemoryGiB = int((uint64(info.Totalram)*uint64(info.Unit) + gib/2) / gib)
	}
	return m
}

func valueOf(text, pattern, otherwise string) string {
	if match := regexp.MustCompile(pattern).FindStringSubmatch(text); match != nil {
		return strings.TrimSpace(match[1])
	}
	return otherwise
}

func (m Machine) String() string {
	return fmt.Sprintf("%s, %d processors, %d GiB, %s, Linux %s", m.Processor, m.Count, m.MemoryGiB, m.System, m.Kernel)
}

// Slug is a file name for the machine: results of one kind of machine replace
// each other.
func (m Machine) Slug() string {
	words := regexp.MustCompile(`[^a-z0-9]+`).ReplaceAllString(strings.ToLower(m.Processor), "-")
	return fmt.Sprintf("%s-x%d", strings.Trim(words, "-"), m.Count)
}
