package main

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

// completionCmd writes completion scripts from kong's own model of the
// command line, so that they can't fall behind it.
type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help of the command.
func (completionCmd) Help() string {
	return `Examples:

    lethe completion bash > /etc/bash_completion.d/lethe
    lethe completion zsh > "${fpath[1]}/_lethe"
    lethe completion fish > ~/.config/fish/completions/lethe.fish`
}

// Run prints the script.
func (c completionCmd) Run(m *Main, k *kong.Context) error {
	nodes := flat(k.Model.Node)
	var err error
	switch c.Shell {
	case "zsh":
		err = zsh(m.Stdout, nodes)
	case "fish":
		err = fish(m.Stdout, nodes)
	default:
		err = bash(m.Stdout, nodes)
	}
	return err
}

// stop is one place in the command line: what may follow it.
type stop struct {
	path     string // words after lethe, with spaces: "config check"
	commands []*kong.Node
	flags    []*kong.Flag
	words    []string // fixed values of the first argument
}

// flat lists every place, the outermost first.
func flat(n *kong.Node) []stop {
	var out []stop
	var walk func(n *kong.Node, path string)
	walk = func(n *kong.Node, path string) {
		s := stop{path: path}
		for _, group := range n.AllFlags(true) {
			s.flags = append(s.flags, group...)
		}
		for _, p := range n.Positional {
			if p.Enum != "" {
				s.words = append(s.words, p.EnumSlice()...)
			}
		}
		for _, c := range n.Children {
			if c.Type == kong.CommandNode && !c.Hidden {
				s.commands = append(s.commands, c)
			}
		}
		out = append(out, s)
		for _, c := range s.commands {
			walk(c, strings.TrimSpace(path+" "+c.Name))
		}
	}
	walk(n, "")
	return out
}

// next are the words that may follow, flags last.
func (s stop) next() []string {
	var out []string
	for _, c := range s.commands {
		out = append(out, c.Name)
	}
	out = append(out, s.words...)
	for _, f := range s.flags {
		out = append(out, "--"+f.Name)
	}
	return out
}

// values are the fixed values of the flags that have some, by flag.
func (s stop) values() map[string][]string {
	out := map[string][]string{}
	for _, f := range s.flags {
		if f.Enum != "" {
			out["--"+f.Name] = slices.DeleteFunc(f.EnumSlice(), func(v string) bool { return v == "" })
		}
	}
	return out
}

func bash(w io.Writer, nodes []stop) error {
	var b strings.Builder
	b.WriteString(`# bash completion for lethe
_lethe() {
    local cur="${COMP_WORDS[COMP_CWORD]}" prev="${COMP_WORDS[COMP_CWORD-1]}" path="" word i
    local paths=" `)
	for _, n := range nodes {
		if n.path != "" {
			b.WriteString(strings.ReplaceAll(n.path, " ", "/") + " ")
		}
	}
	b.WriteString(`"
    for ((i = 1; i < COMP_CWORD; i++)); do
        word="${path:+$path/}${COMP_WORDS[i]}"
        [[ "$paths" == *" $word "* ]] && path="$word"
    done
    case "$path:$prev" in
`)
	for _, n := range nodes {
		values := n.values()
		for _, f := range n.flags {
			if v := values["--"+f.Name]; len(v) > 0 {
				fmt.Fprintf(&b, "    %s:--%s) COMPREPLY=($(compgen -W %q -- \"$cur\")); return ;;\n", strings.ReplaceAll(n.path, " ", "/"), f.Name, strings.Join(v, " "))
			} else if takesFile(f) {
				fmt.Fprintf(&b, "    %s:--%s) COMPREPLY=($(compgen -f -- \"$cur\")); return ;;\n", strings.ReplaceAll(n.path, " ", "/"), f.Name)
			}
		}
	}
	b.WriteString("    esac\n    case \"$path\" in\n")
	for _, n := range nodes {
		fmt.Fprintf(&b, "    %q) COMPREPLY=($(compgen -W %q -- \"$cur\")) ;;\n", strings.ReplaceAll(n.path, " ", "/"), strings.Join(n.next(), " "))
	}
	b.WriteString("    esac\n}\ncomplete -o default -F _lethe lethe\n")
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // of the operator's terminal
}

// zsh uses bash's script through bashcompinit: one grammar to keep right.
func zsh(w io.Writer, nodes []stop) error {
	if _, err := io.WriteString(w, "#compdef lethe\nautoload -U +X bashcompinit && bashcompinit\n"); err != nil {
		return err //nolint:wrapcheck // of the operator's terminal
	}
	return bash(w, nodes)
}

func fish(w io.Writer, nodes []stop) error {
	var b strings.Builder
	b.WriteString("# fish completion for lethe\ncomplete -c lethe -f\n")
	for _, n := range nodes {
		when := "__fish_use_subcommand"
		if n.path != "" {
			words := strings.Fields(n.path)
			conditions := make([]string, 0, len(words)+1)
			for _, word := range words {
				conditions = append(conditions, "__fish_seen_subcommand_from "+word)
			}
			if len(n.commands) > 0 {
				names := make([]string, len(n.commands))
				for i, c := range n.commands {
					names[i] = c.Name
				}
				conditions = append(conditions, "not __fish_seen_subcommand_from "+strings.Join(names, " "))
			}
			when = strings.Join(conditions, "; and ")
		}
		for _, c := range n.commands {
			fmt.Fprintf(&b, "complete -c lethe -n '%s' -a %s -d '%s'\n", when, c.Name, quoted(c.Help))
		}
		for _, word := range n.words {
			fmt.Fprintf(&b, "complete -c lethe -n '%s' -a %s\n", when, word)
		}
		for _, f := range n.flags {
			fmt.Fprintf(&b, "complete -c lethe -n '%s' -l %s -d '%s'%s\n", when, f.Name, quoted(f.Help), fishValue(f, n.values()["--"+f.Name]))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err //nolint:wrapcheck // of the operator's terminal
}

func fishValue(f *kong.Flag, values []string) string {
	switch {
	case len(values) > 0:
		return " -x -a '" + strings.Join(values, " ") + "'"
	case takesFile(f):
		return " -r -F"
	case f.IsBool():
		return ""
	}
	return " -x"
}

func takesFile(f *kong.Flag) bool {
	return f.Tag != nil && (f.Tag.Type == "path" || f.Tag.Type == "existingfile" || f.Tag.Type == "existingdir")
}

func quoted(help string) string { return strings.ReplaceAll(help, "'", `\'`) }
