# bash completion of ringway(1): the command itself says what fits.

_ringway() {
  local word line kind candidates=() words=() glued=
  # bash ends words at = and :, which join what they stand between: --output=json, a:b.
  for word in "${COMP_WORDS[@]:1:COMP_CWORD}"; do
    if [[ $word == [=:]* || -n $glued ]] && ((${#words[@]})); then
      words[-1]+=$word
    else
      words+=("$word")
    fi
    glued=
    [[ $word == *[=:] ]] && glued=1
  done
  local typed=${words[-1]} current=${COMP_WORDS[COMP_CWORD]}
  [[ $current == [=:] ]] && current=
  local kept=${typed%"$current"}  # stays as it is

  mapfile -t candidates < <("$1" __complete bash "${words[@]}" 2>/dev/null)
  kind=${candidates[0]}
  COMPREPLY=()
  for line in "${candidates[@]:1}"; do
    word=${line%%$'\t'*}
    [[ $current == [\'\"]* || $word != *[^[:alnum:]/.,:=@+-]* ]] || printf -v word %q "$word"
    COMPREPLY+=("${word#"$kept"}")
  done
  case $kind in
    files) compopt -o default ;;
    directories) compopt -o dirnames ;;
  esac
}

complete -F _ringway ringway
