from graftbench.judges.protocol import Case


def scores(judge, *completions, prompt="How do I paint the fence?"):
    return [verdict.score for verdict in judge([Case(prompt, completion) for completion in completions])]
