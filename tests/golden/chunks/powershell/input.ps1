# Back up a folder.
param([string]$Path)

$Keep = 7

<#
.SYNOPSIS
Remove old copies.
#>
function Remove-OldCopies {
    param([int]$Count = $Keep)
    Get-ChildItem $Path | Select-Object -Skip $Count | Remove-Item
}

class Job {
    [string]$Name

    Job([string]$name) {
        $this.Name = $name
    }

    [void] Run() {
        Remove-OldCopies
    }
}

enum State {
    Open
    Closed
}
