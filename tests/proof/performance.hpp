#pragma once

#include <string>
#include <vector>

#include "proof/scene.hpp"

namespace ringway::proof {

/// Kills the victim of each scene after its 0th, 1st, 2nd, … instruction, until it has done all,
/// and has the others go on each time; prints a line for each scene. Two processes share the work.
/// Fails the running test case at violations, and when the operation had fewer kill points than
/// points.hpp says.
void perform(const std::string& operation, const std::vector<Scene>& scenes);

}  // namespace ringway::proof
