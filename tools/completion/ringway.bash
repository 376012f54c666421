# bash completion of ringway(1): the command itself says what fits.

# A name as it stands behind an open quote, and means nothing else there: names are anybody's.
_ringway_quoted() {
  local i text=
  for ((i = 0; i < ${#2}; i++)); do
    case $1${2:i:1} in
      \"[\\\"\$\`]) text+=\\${2:i:1} ;;
      \"!) text+=\"\'!\'\" ;;
      \'\') text+=\'\\\'\' ;;
      *) text+=${2:i:1} ;;
    esac
  done
  printf %s "$text"
}

_ringway() {
  local word line kind candidates=() words=() glued=
  COMPREPLY=()
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

  # Behind a quote that is open the shell replaces what follows it, and closes it itself.
  local i quote= closed= plain= before=
  for ((i = 0; i < ${#typed}; i++)); do
    case $quote${typed:i:1} in
      \\ | \"\\) i=$((i + 1)) plain+=${typed:i:1} ;;
      \' | \") quote=${typed:i:1} before=$plain ;;
      \'\' | \"\") quote='' closed=yes ;;
      *) plain+=${typed:i:1} ;;
    esac
  done
  [[ -n $closed && -z $quote ]] && return

  mapfile -t candidates < <("$1" __complete bash "${words[@]}" 2>/dev/null)
  kind=${candidates[0]}
  for line in "${candidates[@]:1}"; do
    word=${line%%$'\t'*}
    if [[ -n $quote ]]; then
      COMPREPLY+=("$(_ringway_quoted "$quote" "${word#"$before"}")")
    else
      [[ $word != *[^[:alnum:]/.,:=@+-]* ]] || printf -v word %q "$word"
      COMPREPLY+=("${word#"$kept"}")
    fi
  done
  case $kind in
    files) compopt -o default ;;
    directories) compopt -o dirnames ;;
  esac
}

complete -F _ringway ringway
