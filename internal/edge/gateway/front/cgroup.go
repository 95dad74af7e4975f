package front

import (
	"math"
	"os"
	"path"
	"strconv"
	"strings"
)

const cgroupRoot = "/sys/fs/cgroup"

// cgroupLimit returns the memory limit in bytes of the cgroup in which this
// process runs, 0 if there is none or this is not Linux.
func cgroupLimit() int64 {
	membership, err := os.ReadFile("/proc/self/cgroup")
	if err != nil {
		return 0
	}
	return limitOf(string(membership), func(name string) string {
		// A file that is not there sets no limit.
		text, _ := os.ReadFile(name)
		return string(text)
	})
}

// limitOf finds the limit for a process with that /proc/self/cgroup. read
// returns a file's text, "" if there is none. The limit of a group holds for all
// below it, so the least on the way up counts.
func limitOf(membership string, read func(name string) string) int64 {
	least := int64(math.MaxInt64)
	for line := range strings.Lines(membership) {
		// hierarchy:controllers:path, cgroups(7)
		fields := strings.SplitN(strings.TrimSpace(line), ":", 3)
		if len(fields) != 3 {
			continue
		}
		root, file := cgroupRoot, "memory.max" // version 2
		if fields[1] != "" {
			if !strings.Contains(","+fields[1]+",", ",memory,") {
				continue
			}
			root, file = cgroupRoot+"/memory", "memory.limit_in_bytes" // version 1
		}
		for group := path.Clean("/" + fields[2]); ; group = path.Dir(group) {
			if n := parseLimit(read(path.Join(root, group, file))); n > 0 {
				least = min(least, n)
			}
			if group == "/" {
				break
			}
		}
	}
	// Version 1 says "no limit" with the largest multiple of the page size.
	if least > math.MaxInt64-1<<20 {
		return 0
	}
	return least
}

// parseLimit reads a number of bytes; "max", nothing and nonsense are 0.
func parseLimit(text string) int64 {
	n, err := strconv.ParseInt(strings.TrimSpace(text), 10, 64)
	if err != nil || n < 0 {
		return 0
	}
	return n
}
