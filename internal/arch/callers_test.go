package arch

import (
	"go/ast"
	"go/importer"
	"go/parser"
	"go/token"
	"go/types"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

// doors are the few functions that show what must not spread, and who may use
// them. A call, a method value and a reference all count. Tests of any package
// are free to look.
func doors() map[string][]string {
	return map[string][]string{
		// Samples of a caller's audio.
		"lethe/media/raw.Samples":            {"internal/caller", "media/vad", "transcribe/null", "transcribe/sphinx"},
		"lethe/media/internal/frame.Samples": {"media", "media/raw"},
		"(*lethe/media.Arena).Bytes":         {"agent/flite"},
		// What a person said, as text.
		"(lethe/policy.Words).Reveal": {"cmd/lethe", "conversation", "rights", "store", "store/storetest", "transcribe/transcribetest", "transcribe/wer"},
		// Who makes the office that grants.
		"lethe/policy.New": {"cmd/lethe", "policy/policytest", "store/storetest"},
	}
}

func TestCallers(t *testing.T) {
	found := users(t)
	// The control: the search finds a use that is known.
	if got := found["lethe/media/internal/frame.Samples"]; !slices.Contains(got, "media/raw") {
		t.Fatalf("the search did not find that media/raw uses frame.Samples: %v", got)
	}
	for door, may := range doors() {
		for _, who := range found[door] {
			if !slices.Contains(may, who) {
				t.Errorf("%s is used by %s, which is not in the callers' table", door, who)
			}
		}
		for _, who := range may {
			if !slices.Contains(found[door], who) {
				t.Errorf("the callers' table lets %s use %s, and it does not: close the door", who, door)
			}
		}
	}
}

// users type-checks every package from source and collects who mentions what.
func users(t *testing.T) map[string][]string {
	t.Helper()
	exports := map[string]string{}
	var house []pack
	for _, p := range list(t, "-export", "-deps", module+"/...") {
		exports[p.ImportPath] = p.Export
		if strings.HasPrefix(p.ImportPath, module+"/") {
			house = append(house, p)
		}
	}
	fset := token.NewFileSet()
	imp := importer.ForCompiler(fset, "gc", func(path string) (io.ReadCloser, error) { return os.Open(exports[path]) })
	found := map[string][]string{}
	for _, p := range house {
		uses := check(t, fset, imp, p)
		for _, obj := range uses {
			fn, ok := obj.(*types.Func)
			if !ok {
				continue
			}
			name := fn.Origin().FullName()
			who := ours(p.ImportPath)
			if fn.Pkg() != nil && fn.Pkg().Path() == p.ImportPath {
				continue // its own door
			}
			if !slices.Contains(found[name], who) {
				found[name] = append(found[name], who)
			}
		}
	}
	return found
}

// check gives every object that the code of p mentions, and refuses ways round
// a door: an interface with the door's name, linkname.
func check(t *testing.T, fset *token.FileSet, imp types.Importer, p pack) map[*ast.Ident]types.Object {
	t.Helper()
	var files []*ast.File
	for _, name := range p.GoFiles {
		f, err := parser.ParseFile(fset, filepath.Join(p.Dir, name), nil, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			t.Fatal(err)
		}
		noWayRound(t, fset, f)
		files = append(files, f)
	}
	info := &types.Info{Uses: map[*ast.Ident]types.Object{}}
	conf := types.Config{Importer: imp}
	if _, err := conf.Check(p.ImportPath, fset, files, info); err != nil {
		t.Fatalf("%s: %v", p.ImportPath, err)
	}
	return info.Uses
}

// noWayRound: through an interface of its own a package could call a door
// without naming it.
func noWayRound(t *testing.T, fset *token.FileSet, f *ast.File) {
	t.Helper()
	for _, c := range f.Comments {
		for _, l := range c.List {
			if strings.HasPrefix(l.Text, "//go:linkname") {
				t.Errorf("%s: linkname goes round every door", fset.Position(l.Pos()))
			}
		}
	}
	ast.Inspect(f, func(n ast.Node) bool {
		i, ok := n.(*ast.InterfaceType)
		if !ok {
			return true
		}
		for _, m := range i.Methods.List {
			for _, name := range m.Names {
				if name.Name == "Reveal" || name.Name == "Samples" {
					t.Errorf("%s: an interface with %s goes round the callers' table", fset.Position(name.Pos()), name.Name)
				}
			}
		}
		return true
	})
}
