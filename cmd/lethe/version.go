package main

import (
	"encoding/json"
	"fmt"
	"runtime"
	"runtime/debug"
)

// versionCmd prints what this binary is.
type versionCmd struct {
	JSON bool `help:"Print JSON." name:"json"`
}

// Help of the command.
func (versionCmd) Help() string {
	return `Examples:

    lethe version
    lethe version --json`
}

// Run prints it.
func (c versionCmd) Run(m *Main) error {
	v := build()
	if c.JSON {
		return json.NewEncoder(m.Stdout).Encode(v) //nolint:wrapcheck // of the operator's terminal
	}
	_, err := fmt.Fprintf(m.Stdout, "lethe %s (%s, %s/%s)\n", v.Version, v.Go, v.OS, v.Arch)
	return err //nolint:wrapcheck // of the operator's terminal
}

// release is what this source calls itself until it is built from a tag.
const release = "0.1.0"

type buildInfo struct {
	Version  string `json:"version"`
	Revision string `json:"revision,omitempty"`
	Modified bool   `json:"modified,omitempty"`
	Go       string `json:"go"`
	OS       string `json:"os"`
	Arch     string `json:"arch"`
}

func build() buildInfo {
	b := buildInfo{Version: release, Go: runtime.Version(), OS: runtime.GOOS, Arch: runtime.GOARCH}
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return b
	}
	for _, s := range info.Settings {
		switch s.Key {
		case "vcs.revision":
			b.Revision = s.Value
		case "vcs.modified":
			b.Modified = s.Value == "true"
		}
	}
	return b
}
