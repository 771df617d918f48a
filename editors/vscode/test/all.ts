/** Everything, in one workbench. */

import "./workbench";
import "./rendering";
