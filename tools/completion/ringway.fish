# fish completion of ringway(1): the command itself says what fits.

function __ringway_complete
    set -l words (commandline -opc)
    set -l program $words[1]
    set -e words[1]
    set -l current (commandline -ct | string unescape)
    set -l lines ($program __complete fish $words "$current" 2>/dev/null)
    printf '%s\n' $lines[2..]
    switch "$lines[1]"
        case files
            __fish_complete_path (string replace --regex '^--[^=]*=' '' -- "$current")
        case directories
            __fish_complete_directories (string replace --regex '^--[^=]*=' '' -- "$current") ''
    end
end

complete --command ringway --no-files --arguments '(__ringway_complete)'
