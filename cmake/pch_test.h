// pch.h plus the test framework.
#pragma once
#include "pch.h"

#include <gtest/gtest.h>
