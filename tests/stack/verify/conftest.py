from tests.harness.deployed_stack import stack as stack
