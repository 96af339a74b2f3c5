// Package configs holds the configuration files that are shipped with lethe,
// and nothing else: what they mean is known to the packages whose sections
// they fill.
package configs

import _ "embed"

// Documented is lethe.yaml: every key, with what it means, its default, its
// unit and its bounds.
func Documented() []byte { return []byte(documented) }

// Quickstart is quickstart.yaml: loopback only, no account, no key.
func Quickstart() []byte { return []byte(quickstart) }

//go:embed lethe.yaml
var documented string //nolint:gochecknoglobals // go:embed needs a variable; nothing writes to it

//go:embed quickstart.yaml
var quickstart string //nolint:gochecknoglobals // go:embed needs a variable; nothing writes to it
