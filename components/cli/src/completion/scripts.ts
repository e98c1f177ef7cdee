/** What shells run to complete: each asks the program itself, by its hidden command `__complete`. Pure. */

export const SHELLS = ["bash", "zsh", "fish", "powershell"] as const;
export type Shell = (typeof SHELLS)[number];

export function completionScript(shell: Shell, name: string): string {
  const function_ = `_${name.replaceAll(/\W/g, "_")}_complete`;
  switch (shell) {
    case "bash":
      return `${function_}() {
  local IFS=$'\\n'
  COMPREPLY=($(${name} __complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null))
}
complete -o default -F ${function_} ${name}`;
    case "zsh":
      return `#compdef ${name}
${function_}() {
  local -a found
  found=("\${(@f)$(${name} __complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)}")
  compadd -a found
}
compdef ${function_} ${name}`;
    case "fish":
      return `complete -c ${name} -a '(${name} __complete -- (commandline -opc)[2..] (commandline -ct) 2>/dev/null)'`;
    case "powershell":
      return `Register-ArgumentCompleter -Native -CommandName ${name} -ScriptBlock {
  param($word, $ast, $position)
  $words = @($ast.CommandElements | Select-Object -Skip 1 | ForEach-Object { $_.ToString() })
  if ($word -eq '') { $words += '' }
  ${name} __complete -- @words 2>$null | ForEach-Object { [System.Management.Automation.CompletionResult]::new($_) }
}`;
  }
}
