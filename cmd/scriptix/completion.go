package main

import (
	"fmt"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCmd struct {
	Shell string `arg:"" enum:"bash,zsh,fish" help:"bash, zsh or fish."`
}

// Help says what to do with the output.
func (*completionCmd) Help() string {
	return `It is made of the commands and flags themselves. In zsh it comes after compinit.

Examples:
  source <(scriptix completion bash)
  source <(scriptix completion zsh)
  scriptix completion fish | source`
}

// Run prints a script that is made of the commands and flags themselves, so it
// knows all of them.
func (c *completionCmd) Run(e *env, app *kong.Kong) error {
	var list []completed
	var all []string
	for _, node := range app.Model.Children {
		if !node.Hidden {
			all = append(all, node.Name)
		}
	}
	for _, node := range app.Model.Children {
		if !node.Hidden {
			list = append(list, completedOf(node, all))
		}
	}
	script := map[string]func([]completed) string{"bash": bashScript, "zsh": zshScript, "fish": fishScript}[c.Shell]
	return e.printf("%s", strings.TrimSuffix(script(list), "\n"))
}

// completed is one command as a shell needs to know it.
type completed struct {
	name, help string
	flags      []completedFlag
	words      []string // of its argument, where these are known; else files
}

type completedFlag struct {
	name, help string
	short      string
	value      bool     // takes one
	words      []string // its values, where they are known
}

func completedOf(node *kong.Node, all []string) completed {
	c := completed{name: node.Name, help: sentence(node.Help)}
	for i, sub := range node.Children {
		c.words = append(c.words, sub.Name)
		if i == 0 {
			c.flags = completedOf(sub, nil).flags // those of the others are among them
		}
	}
	if len(node.Children) > 0 {
		return c
	}
	for _, group := range node.AllFlags(true) {
		for _, f := range group {
			flag := completedFlag{name: f.Name, help: sentence(f.Help), value: !f.IsBool(), words: words(f.Value)}
			if f.Short != 0 {
				flag.short = string(f.Short)
			}
			c.flags = append(c.flags, flag)
			if f.Tag.Negatable != "" {
				c.flags = append(c.flags, completedFlag{name: "no-" + f.Name, help: "Not that, " + flag.help})
			}
		}
	}
	for _, arg := range node.Positional {
		c.words = append(c.words, words(arg)...)
		if arg.Name == "command" {
			c.words = append(c.words, all...)
		}
	}
	return c
}

func words(v *kong.Value) []string {
	switch v.Name {
	case "format":
		return formatNames
	case "state":
		return strings.Split(joinedPhases(), ",")
	}
	if v.Enum == "" {
		return nil
	}
	var list []string
	for _, w := range v.EnumSlice() {
		if w != "" {
			list = append(list, w)
		}
	}
	return list
}

// sentence is the first sentence of a help text, without what shells could take
// for something else.
func sentence(help string) string {
	help, _, _ = strings.Cut(help, ". ")
	return strings.NewReplacer("'", "", "`", "", "$", "", "[", "(", "]", ")", ":", ",", `\`, "", `"`, "").Replace(strings.TrimSuffix(help, "."))
}

func names(list []completed) string {
	var all []string
	for _, c := range list {
		all = append(all, c.name)
	}
	return strings.Join(all, " ")
}

func bashScript(list []completed) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# bash completion for scriptix")
	line("_scriptix() {")
	line("  local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD-1]} cmd=${COMP_WORDS[1]} words=")
	line("  COMPREPLY=()")
	line("  if ((COMP_CWORD == 1)); then")
	line("    COMPREPLY=($(compgen -W '%s --help' -- \"$cur\"))", names(list))
	line("    return")
	line("  fi")
	line("  case \"$cmd $prev\" in")
	for _, c := range list {
		for _, f := range c.flags {
			spelled := fmt.Sprintf("'%s --%s'", c.name, f.name)
			if f.short != "" {
				spelled += fmt.Sprintf(" | '%s -%s'", c.name, f.short)
			}
			if len(f.words) > 0 {
				line("  %s) words='%s' ;;", spelled, strings.Join(f.words, " "))
			} else if f.value {
				line("  %s) return ;;", spelled)
			}
		}
	}
	line("  esac")
	line("  if [[ -z $words ]]; then")
	line("    case \"$cmd\" in")
	for _, c := range list {
		var flags []string
		for _, f := range c.flags {
			flags = append(flags, "--"+f.name)
		}
		line("    %s) if [[ $cur == -* ]]; then words='%s'; else words='%s'; fi ;;", c.name, strings.Join(flags, " "), strings.Join(c.words, " "))
	}
	line("    esac")
	line("  fi")
	line("  [[ -z $words ]] || COMPREPLY=($(compgen -W \"$words\" -- \"$cur\"))")
	line("}")
	line("complete -o default -F _scriptix scriptix")
	return b.String()
}

func zshScript(list []completed) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("#compdef scriptix")
	line("_scriptix() {")
	line("  if ((CURRENT == 2)); then")
	line("    local -a commands=(")
	for _, c := range list {
		line("      '%s:%s'", c.name, c.help)
	}
	line("    )")
	line("    _describe command commands")
	line("    return")
	line("  fi")
	line("  local cmd=$words[2]")
	line("  shift words; ((CURRENT--))")
	line("  case $cmd in")
	for _, c := range list {
		line("  %s)", c.name)
		line("    _arguments \\")
		for _, f := range c.flags {
			value := ""
			if f.value {
				value = ":value:_files"
			}
			if len(f.words) > 0 {
				value = ":value:(" + strings.Join(f.words, " ") + ")"
			}
			if f.short != "" {
				line("      '-%s[%s]%s' \\", f.short, f.help, value)
			}
			line("      '--%s[%s]%s' \\", f.name, f.help, value)
		}
		if len(c.words) > 0 {
			line("      '*:argument:(%s)'", strings.Join(c.words, " "))
		} else {
			line("      '*:argument:_files'")
		}
		line("    ;;")
	}
	line("  esac")
	line("}")
	line("compdef _scriptix scriptix")
	return b.String()
}

func fishScript(list []completed) string {
	var b strings.Builder
	line := func(format string, args ...any) { fmt.Fprintf(&b, format+"\n", args...) }
	line("# fish completion for scriptix")
	for _, c := range list {
		line("complete -c scriptix -n __fish_use_subcommand -f -a %s -d '%s'", c.name, c.help)
	}
	for _, c := range list {
		for _, f := range c.flags {
			extra := ""
			if f.short != "" {
				extra += " -s " + f.short
			}
			if f.value {
				extra += " -r"
			}
			if len(f.words) > 0 {
				extra += " -f -a '" + strings.Join(f.words, " ") + "'"
			}
			line("complete -c scriptix -n '__fish_seen_subcommand_from %s' -l %s%s -d '%s'", c.name, f.name, extra, f.help)
		}
		if len(c.words) > 0 {
			line("complete -c scriptix -n '__fish_seen_subcommand_from %s' -f -a '%s'", c.name, strings.Join(c.words, " "))
		}
	}
	return b.String()
}
