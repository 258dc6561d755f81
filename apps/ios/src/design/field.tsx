import { useState, type ReactElement, type Ref } from 'react';
import { Pressable, StyleSheet, TextInput, View, type TextInputProps } from 'react-native';
import { Words } from './text.tsx';
import { space, touchHeight, useTheme } from './theme.ts';

/** A labelled line of text. */
export function Field(
  props: TextInputProps & { readonly label: string; readonly isWrong?: boolean; readonly inputRef?: Ref<TextInput> },
): ReactElement {
  const { label, isWrong = false, inputRef, style, children, ...input } = props;
  const theme = useTheme();
  const [isFocused, setFocused] = useState(false);
  const isReadOnly = input.editable === false;
  return (
    <View style={styles.field}>
      {/* The input bears the same words as its label. */}
      <Words as="note" aria-hidden importantForAccessibility="no" accessibilityElementsHidden>
        {label}
      </Words>
      <View
        style={[
          styles.box,
          {
            borderColor: isWrong ? theme.bad : isFocused ? theme.accent : theme.lineStrong,
            backgroundColor: isReadOnly ? theme.sunken : theme.surface,
          },
        ]}
      >
        <TextInput
          ref={inputRef}
          accessibilityLabel={label}
          placeholderTextColor={theme.inkSoft}
          selectionColor={theme.accent}
          autoCapitalize="none"
          autoCorrect={false}
          {...input}
          onFocus={() => setFocused(true)}
          onBlur={() => setFocused(false)}
          style={[styles.input, { color: theme.ink }, style]}
        />
        {children}
      </View>
    </View>
  );
}

/** A password with a button that shows it. */
export function PasswordField(props: {
  readonly value: string;
  readonly onChange: (value: string) => void;
  readonly onSubmit?: () => void;
  readonly isWrong?: boolean;
  /** One to be, which the phone makes up. */
  readonly isNew?: boolean;
  readonly inputRef?: Ref<TextInput>;
}): ReactElement {
  const { value, onChange, onSubmit, isWrong = false, isNew = false, inputRef } = props;
  const [isShown, setShown] = useState(false);
  const label = isNew ? 'New password' : 'Password';
  return (
    <Field
      label={label}
      isWrong={isWrong}
      {...(inputRef === undefined ? {} : { inputRef })}
      value={value}
      onChangeText={onChange}
      secureTextEntry={!isShown}
      autoComplete={isNew ? 'new-password' : 'current-password'}
      textContentType={isNew ? 'newPassword' : 'password'}
      returnKeyType="go"
      {...(onSubmit === undefined ? {} : { onSubmitEditing: onSubmit })}
    >
      <Pressable
        role="button"
        accessibilityLabel={`${isShown ? 'Hide' : 'Show'} ${label.toLowerCase()}`}
        hitSlop={8}
        onPress={() => setShown(!isShown)}
        style={styles.reveal}
      >
        <Words as="note" color="accentInk">
          {isShown ? 'Hide' : 'Show'}
        </Words>
      </Pressable>
    </Field>
  );
}

const styles = StyleSheet.create({
  field: { gap: space.xs },
  box: { flexDirection: 'row', alignItems: 'center', borderWidth: 1.5, borderRadius: 10, minHeight: touchHeight },
  input: {
    flex: 1,
    minWidth: 0,
    fontSize: 16,
    paddingHorizontal: space.m,
    paddingVertical: 10,
    outlineStyle: 'solid',
    outlineWidth: 0,
  },
  reveal: { minHeight: touchHeight, justifyContent: 'center', paddingHorizontal: space.m },
});
